"""A batch that does not fit is halved; accumulation keeps the optimiser's step the same."""

from __future__ import annotations

import gc
from collections.abc import Callable

import torch

from osprey.config.schema import DataConfig, TrainerConfig
from osprey.errors import ConfigError
from osprey.system.memory import total_memory
from osprey.tasks.base import Task
from osprey.tuning.trial import Setting, Trial

# Messages of allocators other than CUDA's, which has its own error class.
_OUT_OF_MEMORY_MESSAGES = ("can't allocate memory", "out of memory", "STATUS_ALLOC_FAILED")


def is_out_of_memory(error: BaseException) -> bool:
    """Whether ``error`` means out of memory, on any device."""
    if isinstance(error, torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and any(
        words in str(error) for words in _OUT_OF_MEMORY_MESSAGES
    )


def free_memory() -> None:
    """Release the memory of a failed trial."""
    if torch.cuda.is_available():
        gc.collect()
        torch.cuda.empty_cache()


def fits(action: Callable[[], object]) -> bool:
    """Try an action.

    Args:
        action: Any errors other than out of memory propagate.

    Returns:
        False if it ran out of memory.
    """
    try:
        action()
    except RuntimeError as error:
        if not is_out_of_memory(error):
            raise
        return False
    finally:
        free_memory()
    return True


def fit_batch(
    task: Task,
    data: DataConfig,
    trainer: TrainerConfig,
    setting: Setting,
    device: torch.device,
    sizes: tuple[int, int],
    world: int = 1,
) -> list[str]:
    """Halve the batch sizes until a training step and a validation batch fit.

    Args:
        task: The module; a copy is trained.
        data: The run's ``data`` settings, changed in place.
        trainer: Its ``trainer`` settings, changed in place.
        setting: Precision, memory format and compilation.
        device: Device to compute on.
        sizes: Side in pixels in training and in validation.
        world: Number of processes that share a batch.

    Returns:
        A line for each number that was changed.

    Raises:
        ConfigError: Not even one photo fits.
    """
    lines = []

    def train() -> None:
        batch = task.example_batch(data.batch_size // world, sizes[0], device)
        Trial(task, setting, device, 1).step(batch)

    def validate() -> None:
        count = max(1, data.eval_batch_size // world)
        Trial(task, setting, device, 1).answer(task.example_batch(count, sizes[1], device))

    wanted, effective = data.batch_size, data.batch_size * trainer.accumulate
    while not fits(train):
        if data.batch_size <= world:
            raise ConfigError(
                f"data.batch_size: not even one photo of {sizes[0]} px fits in {_total(device)} "
                "with this model: choose a smaller model, data.size or trainer.precision=bf16-mixed"
            )
        data.batch_size = max(world, data.batch_size // 2 // world * world)
        trainer.accumulate = max(1, round(effective / data.batch_size))
    if data.batch_size != wanted:
        step = data.batch_size * trainer.accumulate
        same = f"the same {step} a step" if step == effective else f"{step} a step"
        lines.append(
            f"batch   {wanted} does not fit in {_total(device)}: "
            f"{data.batch_size} x {trainer.accumulate} accumulated, {same}"
        )
    wanted = data.eval_batch_size
    while not fits(validate):
        if data.eval_batch_size <= world:
            raise ConfigError(
                f"data.eval_batch_size: not even one photo of {sizes[1]} px fits in "
                f"{_total(device)}: choose a smaller model or data.size"
            )
        data.eval_batch_size = max(world, data.eval_batch_size // 2)
    if data.eval_batch_size != wanted:
        lines.append(
            f"batch   {wanted} to validate does not fit in {_total(device)}: {data.eval_batch_size}"
        )
    return lines


def _total(device: torch.device) -> str:
    total: int | None
    if device.type == "cuda":
        total = torch.cuda.get_device_properties(device).total_memory
    else:
        total = total_memory()
    return "memory" if total is None else f"{total / 1e9:.0f} GB"
