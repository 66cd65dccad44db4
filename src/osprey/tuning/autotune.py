"""Resolves ``auto`` for memory format, precision and compilation by timing the training step.

Each candidate is timed on the run's own network, batch size and device, by the real training step.
It is admitted only if its losses over the first steps are those of the plain one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from itertools import product
from typing import Any

import torch

from osprey.config.schema import TrainerConfig
from osprey.tasks.base import Task
from osprey.tuning.memory import free_memory, is_out_of_memory
from osprey.tuning.trial import Setting, Trial

STEPS = 4  # a candidate's: one to warm up, the fastest of the others counts
_SHARE = 0.05  # of the run that tuning may take
_WORTH = 1.05  # how much faster the less simple way must be
_COMPILE_SECONDS = 60.0  # what a compilation takes, about

# Largest difference from the plain way's loss, in the first step and in later ones, as a share of
# the loss training starts from. Sums in another order differ by up to 1e-5 at first (measured on
# the models of configs/model), which a few steps may magnify a thousandfold: Adam moves a weight as
# far for a gradient of 1e-9 as for one of 1. Sixteen-bit inputs are rounded by up to 2**-9 a layer.
TOLERANCE = {"32-true": (1e-4, 3e-2), "bf16-mixed": (2e-2, 1e-1), "16-mixed": (2e-2, 1e-1)}


@dataclass
class Candidate:
    """One candidate setting and its measurements.

    Attributes:
        setting: Precision, memory format and compilation.
        rate: Images per second; 0 if it was stopped early or failed.
        losses: Of the first steps, on one batch.
        verdict: ``admitted``, or why not.
    """

    setting: Setting
    rate: float = 0.0
    losses: list[float] = field(default_factory=list)
    verdict: str = "admitted"


def defaults(trainer: TrainerConfig) -> Setting:
    """The meaning of ``auto`` without timing."""
    return Setting(
        "32-true" if trainer.precision == "auto" else trainer.precision,
        trainer.channels_last is not False,  # auto is yes
        trainer.compile is True,
    )


def resolve_auto(trainer: TrainerConfig, choice: Setting | None = None) -> None:
    """Replace settings that are ``auto`` by ``choice``, or by the defaults, in place."""
    choice = choice or defaults(trainer)
    trainer.precision = choice.precision
    trainer.channels_last = choice.channels_last
    trainer.compile = choice.compile


def candidates(trainer: TrainerConfig, device: torch.device) -> list[Setting]:
    """Settings to be timed, the simplest first; compilation is tried later.

    Args:
        trainer: The trainer settings.
        device: Device to compute on.

    Returns:
        All combinations of precision and memory format that are open.
    """
    formats = [False, True] if trainer.channels_last == "auto" else [bool(trainer.channels_last)]
    precisions = [trainer.precision]
    if trainer.precision == "auto":
        precisions = ["32-true", *_sixteen_bits(device)]
    return [Setting(p, c) for p, c in product(precisions, formats)]


def _sixteen_bits(device: torch.device) -> list[str]:
    if device.type == "cuda":
        native = torch.cuda.is_bf16_supported(including_emulation=False)
        return ["bf16-mixed"] if native else ["16-mixed"]
    # Where the processor has no instructions for it, one emulated step can take a minute.
    if device.type == "cpu" and torch.ops.mkldnn._is_mkldnn_bf16_supported():
        return ["bf16-mixed"]
    return []


def pays(count: int, steps: int) -> bool:
    """Whether timing ``count`` candidates is at most 5% of a run of ``steps`` steps."""
    return steps >= pays_from(count)


def pays_from(count: int) -> int:
    """The steps of a run from which timing ``count`` candidates is at most 5% of it."""
    return math.ceil(count * STEPS / _SHARE)


def compare(
    task: Task,
    settings: list[Setting],
    batch: Any,
    device: torch.device,
    steps: int,
    *,
    jit: bool,
) -> tuple[list[Candidate], Setting]:
    """Time ``settings`` and choose the fastest.

    Args:
        task: The module; a copy is trained.
        settings: The simplest first; the losses of the others are compared with its.
        batch: A batch on the device.
        device: Device to compute on.
        steps: Optimiser steps of the whole run.
        jit: Try torch.compile on the fastest, if the run is long enough.

    Returns:
        All measurements, and the fastest setting admitted; a simpler one if it is within 5%.
    """
    found: list[Candidate] = []
    for setting in settings:
        found.append(_measure(task, setting, batch, device, steps, found))
    best = _fastest(found)
    seconds = steps * len(batch["image"]) / best.rate
    if jit and seconds * _SHARE > _COMPILE_SECONDS:
        compiled = Setting(best.setting.precision, best.setting.channels_last, compile=True)
        found.append(_measure(task, compiled, batch, device, steps, found))
        best = _fastest(found)
    return found, best.setting


def _fastest(found: list[Candidate]) -> Candidate:
    best = found[0]
    for candidate in found[1:]:
        if candidate.verdict == "admitted" and candidate.rate >= _WORTH * best.rate:
            best = candidate
    return best


def _measure(
    task: Task,
    setting: Setting,
    batch: Any,
    device: torch.device,
    steps: int,
    before: list[Candidate],
) -> Candidate:
    candidate = Candidate(setting)
    slowest = 2 * len(batch["image"]) / max((c.rate for c in before), default=1e-9)
    seconds = []
    try:
        trial = Trial(task, setting, device, steps)
        for number in range(STEPS):
            loss, took = trial.timed_step(batch)
            candidate.losses.append(loss)
            seconds.append(took)
            # Not after one: the first step is slow with new kernels, any with a busy machine.
            if number and min(seconds) > slowest:
                candidate.verdict = f"given up: two steps took {min(seconds):.2f} s or more"
                return candidate
    except Exception as error:  # a compiler's or a kernel's own: this way is not to be had here
        if not before:
            raise
        full = is_out_of_memory(error)
        reason = "out of memory" if full else (str(error).splitlines() or [repr(error)])[0][:200]
        candidate.verdict = f"failed: {reason}"
        return candidate
    finally:
        trial = None  # type: ignore[assignment]
        free_memory()
    candidate.rate = len(batch["image"]) / min(seconds[1:])
    if before:
        candidate.verdict = _judge(candidate, before[0])
    return candidate


def _judge(candidate: Candidate, plain: Candidate) -> str:
    first, later = TOLERANCE[candidate.setting.precision]
    scale = max(abs(plain.losses[0]), 0.1)
    for number, (loss, wanted) in enumerate(zip(candidate.losses, plain.losses, strict=True)):
        limit = (later if number else first) * scale
        if not math.isfinite(loss) or abs(loss - wanted) > limit:
            return f"loss {loss:.5g} in step {number + 1}, not {wanted:.5g}"
    return "admitted"


def describe(found: list[Candidate], choice: Setting, remembered: bool) -> str:
    """One line: the choice, its images per second, and those of the others."""
    rates = {c.setting: c for c in found}
    others = [
        f"{'plain' if c is found[0] else c.setting} "
        + (f"{c.rate:.1f}" if c.verdict == "admitted" else c.verdict.partition(":")[0])
        for c in found
        if c.setting != choice
    ]
    note = f" ({', '.join(others)})" if others else ""
    again = ", remembered" if remembered else ""
    return f"tuned   {choice}: {rates[choice].rate:.1f} images/s{note}{again}"
