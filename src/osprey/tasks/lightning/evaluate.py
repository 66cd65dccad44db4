"""Validation and test of a LightningModule of the user's own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytorch_lightning as pl

from osprey.config.schema import TrainerConfig
from osprey.system.launcher import is_first
from osprey.system.processes import leave_group
from osprey.tasks.evaluation import evaluation_trainer, run_loop
from osprey.tasks.lightning.build import OwnParts


def has_step(parts: OwnParts, split: str) -> bool:
    """Whether module and data support a split.

    Args:
        parts: From `build_own`.
        split: ``val`` or ``test``.

    Returns:
        True if the module overrides the step and the data the loader.
    """
    step = "validation_step" if split == "val" else "test_step"
    loader = "val_dataloader" if split == "val" else "test_dataloader"
    module = getattr(type(parts.module), step) is not getattr(pl.LightningModule, step)
    own = getattr(type(parts.data), loader, None)
    return module and own is not getattr(pl.LightningDataModule, loader, None)


def logged_figures(
    checkpoint: Path, parts: OwnParts, settings: TrainerConfig, split: str
) -> dict[str, float]:
    """Validate or test a checkpoint by Lightning's own loop.

    Args:
        checkpoint: The checkpoint.
        parts: Module and data, from `build_own`.
        settings: Devices, and how many batches.
        split: ``val`` or ``test``.

    Returns:
        The logged metrics by name; empty where the module has no such step, and in processes other
        than rank 0.

    """
    if not has_step(parts, split):
        return {}
    # By one process: several would have to show some samples twice to end together, and a module
    # of the user's own does not know which.
    leave_group()
    if not is_first():
        return {}
    trainer = evaluation_trainer(settings)
    loop: Any = trainer.validate if split == "val" else trainer.test
    more = {"ckpt_path": checkpoint, "weights_only": True}
    run_loop(loop, parts.module, datamodule=parts.data, **more)
    return {name: float(value) for name, value in trainer.callback_metrics.items()}
