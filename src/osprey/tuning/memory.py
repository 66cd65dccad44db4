"""A batch that does not fit is halved; accumulation keeps the optimiser's step the same."""

from __future__ import annotations

import gc
from collections.abc import Callable

import torch
from torch import Tensor

from osprey.config.schema import DataConfig, TrainerConfig
from osprey.errors import ConfigError
from osprey.system.memory import free_memory as free_machine_memory
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
            raise _too_large(sizes[0], _total(device))
        _halve(data, trainer, effective, world)
    if data.batch_size != wanted:
        lines.append(_smaller(wanted, effective, data, trainer, _total(device)))
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


def _too_large(size: int, memory: str) -> ConfigError:
    return ConfigError(
        f"data.batch_size: not even one photo of {size} px fits in {memory} "
        "with this model: choose a smaller model, data.size or trainer.precision=bf16-mixed"
    )


def _halve(data: DataConfig, trainer: TrainerConfig, effective: int, world: int) -> None:
    """Half the batch, and as many more of them an optimiser step."""
    data.batch_size = max(world, data.batch_size // 2 // world * world)
    trainer.accumulate = max(1, round(effective / data.batch_size))


def _smaller(
    wanted: int, effective: int, data: DataConfig, trainer: TrainerConfig, memory: str
) -> str:
    step = data.batch_size * trainer.accumulate
    same = f"the same {step} a step" if step == effective else f"{step} a step"
    return (
        f"batch   {wanted} does not fit in {memory}: "
        f"{data.batch_size} x {trainer.accumulate} accumulated, {same}"
    )


def is_doubtful(data: DataConfig, size: int, free: int | None) -> bool:
    """Whether batches on a processor may need more memory than is free.

    Args:
        data: The run's ``data`` settings.
        size: Their side in pixels.
        free: Bytes; None where that is not known, and nothing can be told.
    """
    count = max(data.batch_size, data.eval_batch_size // _ANSWERED)
    return free is not None and count * size * size * 3 * 4 * _MANY_TIMES >= free * _SHARE


def spare_memory(
    task: Task,
    data: DataConfig,
    trainer: TrainerConfig,
    setting: Setting,
    sizes: tuple[int, int],
    world: int,
) -> list[str]:
    """Smaller batches on a processor until what a step keeps for its gradients fits.

    A processor's memory cannot be tried out: the system ends the process that asks for too much.

    Args:
        task: The module; a copy computes two photos, where there is a doubt.
        data: The run's ``data`` settings, changed in place.
        trainer: Its ``trainer`` settings, changed in place.
        setting: Precision and memory format.
        sizes: Side in pixels in training and in validation.
        world: Number of processes that share a batch.

    Returns:
        A line for each number that was changed.

    Raises:
        ConfigError: Not even one photo fits.
    """
    free = free_machine_memory()
    if free is None or not is_doubtful(data, max(sizes), free):
        return []
    each = _kept_a_photo(task, setting, sizes[0])
    wanted, effective = data.batch_size, data.batch_size * trainer.accumulate
    memory = f"the {free / 1e9:.1f} GB that are free"
    if world * each > free:
        raise _too_large(sizes[0], memory)
    while data.batch_size > world and data.batch_size * each > free * _SHARE:
        _halve(data, trainer, effective, world)
    lines, room = [], int(free * _SHARE / max(each, 1))
    if data.batch_size != wanted:
        lines, room = [_smaller(wanted, effective, data, trainer, memory)], data.batch_size
    before, larger = data.eval_batch_size, (sizes[1] / sizes[0]) ** 2
    data.eval_batch_size = min(before, max(world, int(_ANSWERED * room / larger)))
    if data.eval_batch_size != before:
        lines.append(f"batch   {before} to validate is much for {memory}: {data.eval_batch_size}")
    return lines


_ANSWERED = 4  # photos that can be answered about with the memory that a step takes for one
_SHARE = 0.6  # of the free memory: decoding, workers and answers need some too
_MANY_TIMES = 600  # a network keeps up to so many times its input, as float32


def _kept_a_photo(task: Task, setting: Setting, size: int) -> float:
    """Bytes that a training step keeps for each photo until its gradients are computed."""
    kept: dict[int, int] = {}

    def note(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    device = torch.device("cpu")
    trial = Trial(task, setting, device, 1)
    trained = {p.untyped_storage().data_ptr() for p in trial.task.parameters()}
    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        trial.forward(task.example_batch(_TWO, size, device))
    return sum(number for place, number in kept.items() if place not in trained) / _TWO


_TWO = 2  # BatchNorm wants something to compare a photo with


def _total(device: torch.device) -> str:
    total: int | None
    if device.type == "cuda":
        total = torch.cuda.get_device_properties(device).total_memory
    else:
        total = total_memory()
    return "memory" if total is None else f"{total / 1e9:.0f} GB"
