"""What ``auto`` means for memory format, precision and compilation."""

from __future__ import annotations

from osprey.config.schema import TrainConfig


def resolve_auto(config: TrainConfig) -> None:
    """Replace what is still ``auto`` by the safe choice, in place."""
    trainer = config.trainer
    if trainer.precision == "auto":
        trainer.precision = "32-true"
    if trainer.channels_last == "auto":
        trainer.channels_last = True
    if trainer.compile == "auto":
        trainer.compile = False
