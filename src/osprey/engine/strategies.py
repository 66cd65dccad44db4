"""Distributed strategies: DDP and FSDP."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from pytorch_lightning.strategies import DDPStrategy, FSDPStrategy, Strategy
from torch.distributed.fsdp.wrap import size_based_auto_wrap_policy

from osprey.config.schema import ModelConfig, TrainerConfig
from osprey.models.checkpoint import read_checkpoint
from osprey.system.instantiate import instantiate

# Layers from this many parameters on are shared out one by one, so that a device holds one of them
# whole at a time (as one unit, the network would be gathered whole in each step). That takes in
# the linear layers of a ViT-B and most convolutions of a ResNet-50's last stage.
_SHARDED_FROM = 2_000_000


class FullySharded(FSDPStrategy):
    """FSDP with layers wrapped singly, and full (unsharded) checkpoints."""

    def __init__(self) -> None:
        policy = partial(size_based_auto_wrap_policy, min_num_params=_SHARDED_FROM)
        super().__init__(state_dict_type="full", auto_wrap_policy=policy)

    def load_checkpoint(
        self, checkpoint_path: str | Path, weights_only: bool | None = None
    ) -> dict[str, Any]:
        """Resume from a checkpoint.

        Args:
            checkpoint_path: The file.
            weights_only: Lightning's.

        Returns:
            The content of the checkpoint.

        Raises:
            CheckpointError: It holds more than tensors and plain data, or is damaged. Lightning's
                reader of sharded runs would run code in it.
        """
        read_checkpoint(Path(self.broadcast(checkpoint_path)))
        return super().load_checkpoint(checkpoint_path, weights_only=weights_only)


def make_strategy(trainer: TrainerConfig, model: ModelConfig) -> str | Strategy:
    """The Trainer's ``strategy``.

    Args:
        trainer: The run's ``trainer`` settings.
        model: Says whether the backbone is frozen for a while.

    Returns:
        ``auto`` for one process, DDP or FSDP, or the user's own strategy.

    Raises:
        ConfigError: The user's own cannot be built.
    """
    if isinstance(trainer.strategy, dict):
        strategy: Strategy = instantiate("trainer.strategy", trainer.strategy, Strategy)
        return strategy
    if trainer.strategy == "ddp":
        # A frozen backbone's parameters get no gradients, which DDP must expect.
        resting = isinstance(model.freeze, int) and model.freeze > 0
        return DDPStrategy(find_unused_parameters=resting)
    if trainer.strategy == "fsdp":
        return FullySharded()
    return "auto"
