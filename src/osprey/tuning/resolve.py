"""Before training: a batch size that fits, and every ``auto`` resolved, stored and cached."""

from __future__ import annotations

import os
from pathlib import Path

import torch
from pytorch_lightning.utilities.seed import isolate_rng

from osprey.config.schema import TrainConfig
from osprey.runs.folder import RunFolder
from osprey.tasks.assemble import Assembly
from osprey.tasks.base import Task
from osprey.tasks.loading import run_device
from osprey.tuning.autotune import (
    STEPS,
    candidates,
    compare,
    defaults,
    describe,
    pays,
    resolve_auto,
)
from osprey.tuning.cache import (
    as_plain,
    file_for,
    open_settings,
    recall,
    remember,
    what_matters,
)
from osprey.tuning.memory import fit_batch, is_out_of_memory
from osprey.tuning.trial import Setting, Trial


def resolve_settings(
    assembly: Assembly, config: TrainConfig, run: RunFolder, *, world: int = 1
) -> list[str]:
    """Resolve ``auto`` settings in ``config`` and write it to the run folder.

    Weights, statistics and random states are left unchanged.

    Args:
        assembly: Network, task and data.
        config: The run's configuration, changed in place.
        run: Where it is written, with ``autotune.json``.
        world: Number of processes that share a batch.

    Returns:
        Lines that say what was chosen.

    Raises:
        ConfigError: Not even one photo fits in memory.
    """
    _as_the_trainer_will(config)
    lines: list[str] = []
    with isolate_rng():
        if not run.last.is_file() and config.trainer.max_epochs and _has_a_step(config):
            lines = _try(assembly, config, run, world)
    resolve_auto(config)
    run.save_config(config)
    return lines


def may_try(config: TrainConfig) -> bool:
    """Whether a trial step is needed before training."""
    undecided = config.trainer.autotune and "auto" in map(str, open_settings(config))
    on_gpu = run_device(config.trainer).type == "cuda"
    return undecided or on_gpu or config.trainer.compile is True


def _has_a_step(config: TrainConfig) -> bool:
    """A sharded network has no step outside its processes; an ensemble has nothing to train."""
    return config.trainer.strategy != "fsdp" and config.model.factory != "ensemble"


def _as_the_trainer_will(config: TrainConfig) -> None:
    """The switches Lightning's Trainer sets, set before a kernel is chosen."""
    exact = config.trainer.deterministic
    if exact:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(exact, warn_only=True)
    torch.backends.cudnn.benchmark = not exact


def _try(assembly: Assembly, config: TrainConfig, run: RunFolder, world: int) -> list[str]:
    device, task = run_device(config.trainer), assembly.task
    size = assembly.data.preprocess.size
    sizes = (config.data.train_size or size, size)
    lines: list[str] = []
    for attempt in range(2):
        if device.type == "cuda" or attempt:
            lines += fit_batch(task, config, defaults(config.trainer), device, sizes, world)
        try:
            if config.trainer.autotune and "auto" in map(str, open_settings(config)):
                lines += _tune(assembly, config, run, world, device)
            resolve_auto(config)
            return lines + _check_compiler(task, config, device, sizes[0], world)
        except RuntimeError as error:
            if attempt or not is_out_of_memory(error):
                raise
    return lines


def _tune(
    assembly: Assembly, config: TrainConfig, run: RunFolder, world: int, device: torch.device
) -> list[str]:
    task, trainer = assembly.task, config.trainer
    size = config.data.train_size or assembly.data.preprocess.size
    ways = candidates(trainer, device)
    batches = min(assembly.data.train_batches(), trainer.limit_train_batches or 10**9)
    steps = batches * trainer.max_epochs
    share = max(1, config.data.batch_size // world)
    facts = what_matters(task, config, size, share, device)
    file = file_for(facts, Path(config.paths.cache))
    known = recall(file, ways)
    jit = device.type == "cuda" and trainer.compile == "auto"
    if known is not None:
        found, choice = known
    elif len(ways) == 1 and not jit:
        return []
    elif not pays(len(ways), steps):
        return [
            f"autotune skipped: the run is too short ({steps} steps, trials need "
            f"{len(ways) * STEPS}); {defaults(trainer)}"
        ]
    else:
        batch = task.example_batch(share, size, device)
        found, choice = compare(task, ways, batch, device, steps, jit=jit)
        remember(file, found, choice)
    content = as_plain(found, choice)
    run.write_json("autotune.json", {**content, "remembered": known is not None, **facts})
    compiled = choice.compile or trainer.compile is True
    resolve_auto(config, Setting(choice.precision, choice.channels_last, compiled))
    return [describe(found, choice, known is not None)]


def _check_compiler(
    task: Task, config: TrainConfig, device: torch.device, size: int, world: int
) -> list[str]:
    """If torch.compile was requested and fails, disable it and return a line about it."""
    if config.trainer.compile is not True:
        return []
    share = max(1, config.data.batch_size // world)
    batch = task.example_batch(share, size, device)
    try:
        Trial(task, defaults(config.trainer), device, 1).step(batch)
    except Exception as error:  # compilers fail in many ways
        if is_out_of_memory(error):
            raise
        config.trainer.compile = False
        reason = (str(error).splitlines() or [type(error).__name__])[0][:120]
        return [f"compile trainer.compile does not work here, left out: {reason}"]
    return []
