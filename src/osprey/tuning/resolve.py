"""Before training: a batch size that fits, and every ``auto`` resolved, stored and cached."""

from __future__ import annotations

import torch
from pytorch_lightning.utilities.seed import isolate_rng

from osprey.config.schema import DataConfig, ModelConfig, TrainConfig, TrainerConfig
from osprey.errors import reason_of
from osprey.runs.folder import RunFolder
from osprey.system.kernels import choose_kernels
from osprey.system.memory import free_memory as free_machine_memory
from osprey.tasks.assemble import Assembly
from osprey.tasks.base import Task
from osprey.tasks.loading import run_device
from osprey.tuning.autotune import (
    candidates,
    compare,
    defaults,
    describe,
    pays,
    pays_from,
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
from osprey.tuning.memory import fit_batch, is_doubtful, is_out_of_memory, spare_memory
from osprey.tuning.trial import Setting, Trial

_LARGEST = 640  # px, of networks whose own size is not known yet


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
    choose_kernels(config.trainer.deterministic)
    lines: list[str] = []
    with isolate_rng():
        if not run.last.is_file() and _has_a_step(config.trainer, config.model):
            ema = config.callbacks.ema_decay is not None
            lines = _try(assembly, config.trainer, run, world, ema=ema)
    resolve_auto(config.trainer)
    run.save_config(config)
    return lines


def may_try(trainer: TrainerConfig, data: DataConfig) -> bool:
    """Whether a trial step is needed before training."""
    if run_device(trainer).type == "cuda" or _is_undecided(trainer) or trainer.compile is True:
        return True
    side = max(data.train_size or 0, data.size or _LARGEST)
    return is_doubtful(data, side, free_machine_memory())


def _is_undecided(trainer: TrainerConfig) -> bool:
    return trainer.autotune and "auto" in map(str, open_settings(trainer))


def _has_a_step(trainer: TrainerConfig, model: ModelConfig) -> bool:
    """A sharded network has no step outside its processes; an ensemble has nothing to train."""
    trains = trainer.max_epochs > 0 and model.factory != "ensemble"
    return trains and trainer.strategy != "fsdp"


def _try(
    assembly: Assembly, trainer: TrainerConfig, run: RunFolder, world: int, *, ema: bool
) -> list[str]:
    device, task, data = run_device(trainer), assembly.task, assembly.data.config
    size = assembly.data.preprocess.size
    sizes = (data.train_size or size, size)
    lines: list[str] = []
    for attempt in range(2):
        if device.type == "cpu" and not attempt:
            lines += spare_memory(task, data, trainer, defaults(trainer), sizes, world)
        if device.type == "cuda" or attempt:
            lines += fit_batch(task, data, trainer, defaults(trainer), device, sizes, world)
        try:
            if _is_undecided(trainer):
                lines += _tune(assembly, trainer, run, world, ema=ema)
            resolve_auto(trainer)
            share = max(1, data.batch_size // world)
            return lines + _check_compiler(task, trainer, device, sizes[0], share)
        except RuntimeError as error:
            if attempt or not is_out_of_memory(error):
                raise
    return lines


def _tune(
    assembly: Assembly, trainer: TrainerConfig, run: RunFolder, world: int, *, ema: bool
) -> list[str]:
    device, task, data = run_device(trainer), assembly.task, assembly.data
    size = data.config.train_size or data.preprocess.size
    ways = candidates(trainer, device)
    steps = min(data.train_batches(), trainer.limit_train_batches or 10**9) * trainer.max_epochs
    share = max(1, data.config.batch_size // world)
    facts = what_matters(task, trainer, size, share, device, ema=ema)
    file = file_for(facts, data.cache)
    known = recall(file, ways)
    jit = device.type == "cuda" and trainer.compile == "auto"
    if known is not None:
        found, choice = known
    elif len(ways) == 1 and not jit:
        return []
    elif not pays(len(ways), steps):
        return [
            f"autotune skipped: the run is too short ({steps} steps, trials pay from "
            f"{pays_from(len(ways))}); {defaults(trainer)}"
        ]
    else:
        batch = task.example_batch(share, size, device)
        found, choice = compare(task, ways, batch, device, steps, jit=jit)
        remember(file, found, choice)
    content = as_plain(found, choice)
    run.write_json("autotune.json", {**content, "remembered": known is not None, **facts})
    compiled = choice.compile or trainer.compile is True
    resolve_auto(trainer, Setting(choice.precision, choice.channels_last, compiled))
    return [describe(found, choice, known is not None)]


def _check_compiler(
    task: Task, trainer: TrainerConfig, device: torch.device, size: int, share: int
) -> list[str]:
    """If torch.compile was requested and fails, disable it and return a line about it."""
    if trainer.compile is not True:
        return []
    batch = task.example_batch(share, size, device)
    try:
        Trial(task, defaults(trainer), device, 1).step(batch)
    except Exception as error:  # compilers fail in many ways
        if is_out_of_memory(error):
            raise
        trainer.compile = False
        reason = reason_of(error)
        return [f"compile trainer.compile does not work here, left out: {reason}"]
    return []
