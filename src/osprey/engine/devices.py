"""Which devices there are, checked before a run is begun."""

from __future__ import annotations

from osprey.config.schema import TrainConfig
from osprey.errors import ConfigError
from osprey.system.devices import pick_device


def process_count(config: TrainConfig) -> int:
    """How many processes the run takes: one a device.

    Raises:
        ConfigError: There are fewer devices than asked for, or a batch cannot be shared out.
    """
    trainer = config.trainer
    if trainer.strategy == "single":
        if trainer.accelerator in ("gpu", "mps"):
            pick_device(trainer.accelerator)
        return 1
    count = _devices(config)
    if config.data.batch_size % count:
        raise ConfigError(
            f"data.batch_size={config.data.batch_size} cannot be shared evenly by {count} processes"
        )
    return count


def _devices(config: TrainConfig) -> int:
    trainer = config.trainer
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
