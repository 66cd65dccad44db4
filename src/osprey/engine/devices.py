"""Checks of the devices before a run starts."""

from __future__ import annotations

from osprey.config.schema import DataConfig, TrainerConfig
from osprey.errors import ConfigError
from osprey.system.devices import pick_device
from osprey.system.launcher import find_place


def process_count(trainer: TrainerConfig, data: DataConfig) -> int:
    """Number of processes of a run: one per device, over all machines.

    Args:
        trainer: Devices and strategy.
        data: Its batch size is shared by the processes.

    Returns:
        1 without distributed training.

    Raises:
        ConfigError: There are fewer devices than requested, the batch size is not divisible, or
            several machines are requested without a launcher.
    """
    if trainer.num_nodes > 1 and find_place() is None:
        raise ConfigError(
            f"trainer.num_nodes={trainer.num_nodes}: several machines are started by torchrun or "
            "srun, which tell each process its place"
        )
    if trainer.strategy == "single":
        if trainer.accelerator in ("gpu", "mps"):
            pick_device(trainer.accelerator)
        return 1
    count = _devices(trainer) * trainer.num_nodes
    if data.is_foreign:
        return count
    if data.batch_size % count:
        raise ConfigError(
            f"data.batch_size={data.batch_size} cannot be shared evenly by {count} processes"
        )
    return count


def _devices(trainer: TrainerConfig) -> int:
    if trainer.accelerator == "cpu":
        return trainer.devices if isinstance(trainer.devices, int) else 1
    import torch

    found = torch.cuda.device_count()
    if not found:
        raise ConfigError(
            f"trainer.strategy={trainer.strategy} needs a GPU and there is none: use "
            "trainer=default, or trainer=ddp_sim to rehearse on the CPU"
        )
    if trainer.devices == "auto":
        return found
    if int(trainer.devices) > found:
        raise ConfigError(f"trainer.devices={trainer.devices}: this machine has {found} GPUs")
    return int(trainer.devices)
