"""Finds the batch size at which a device is fastest, and the memory each size takes."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from osprey.config.schema import TrainerConfig
from osprey.errors import UserError
from osprey.system.memory import peak_memory
from osprey.tasks.assemble import Assembly
from osprey.tuning.autotune import defaults
from osprey.tuning.memory import free_memory, is_out_of_memory
from osprey.tuning.trial import Trial

FIRST = 4
_WORTH = 1.05  # a batch twice as large must give this much more
_TIMED = 2  # steps; the faster counts


@dataclass(frozen=True)
class BatchFigure:
    """Measurement of one batch size.

    Attributes:
        batch: Images per step.
        rate: Images per second.
        memory: Peak memory in MB; NaN if unknown.
    """

    batch: int
    rate: float
    memory: float


def measure_batches(
    assembly: Assembly, trainer: TrainerConfig, device: torch.device
) -> tuple[list[BatchFigure], str]:
    """Time the training step with batches of 4, 8, 16, ... images.

    Args:
        assembly: Network, task and data.
        trainer: Precision, memory format and compilation.
        device: Device to compute on.

    Returns:
        A measurement of each size, and why no larger one was tried.

    Raises:
        UserError: Not even the smallest fits in memory.
    """
    size = assembly.data.config.train_size or assembly.data.preprocess.size
    most = len(assembly.data.dataset("train"))
    batch, found = FIRST, list[BatchFigure]()
    while True:
        try:
            figure = _measure(assembly, trainer, device, min(batch, most), size)
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
            if not found:
                raise UserError(
                    f"not even {batch} photos of {size} px fit in memory with this model: choose "
                    "a smaller model or data.size"
                ) from None
            return found, f"{batch} does not fit in memory"
        best = max((f.rate for f in found), default=0.0)
        found.append(figure)
        if figure.rate < _WORTH * best:
            return found, f"{figure.batch} is not 5% faster"
        if batch >= most:
            return found, f"there are {most} photos to train on"
        batch *= 2


def _measure(
    assembly: Assembly, trainer: TrainerConfig, device: torch.device, count: int, size: int
) -> BatchFigure:
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    batch = assembly.task.example_batch(count, size, device)
    trial = Trial(assembly.task, defaults(trainer), device, 1)
    try:
        seconds = [trial.timed_step(batch)[1] for _ in range(_TIMED + 1)][1:]
    finally:
        del trial
        free_memory()
    return BatchFigure(count, count / min(seconds), _memory(device))


def _memory(device: torch.device) -> float:
    """Most memory held so far in MB: of the device, or of this process, which only grows."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 1e6
    peak = peak_memory()
    return float("nan") if peak is None else peak / 1e6


def suggest_batch(found: list[BatchFigure]) -> int:
    """Choose a batch size.

    Args:
        found: Measurements by rising batch size.

    Returns:
        The smallest one within 5% of the fastest.
    """
    best = max(figure.rate for figure in found)
    return next(f.batch for f in found if f.rate * _WORTH >= best)
