"""What a module of the user's own logs when Lightning validates or tests it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytorch_lightning as pl

from osprey.config.schema import TrainConfig
from osprey.data.manifest import Manifest
from osprey.errors import DataError
from osprey.system.launcher import is_first
from osprey.tasks.evaluation import evaluation_trainer, run_loop
from osprey.tasks.lightning.build import OwnParts, build_own
from osprey.tasks.processes import leave_group


def has_step(parts: OwnParts, split: str) -> bool:
    """Whether the module has the step, and the data the loader, that a split wants."""
    step = "validation_step" if split == "val" else "test_step"
    loader = "val_dataloader" if split == "val" else "test_dataloader"
    module = getattr(type(parts.module), step) is not getattr(pl.LightningModule, step)
    own = getattr(type(parts.data), loader, None)
    return module and own is not getattr(pl.LightningDataModule, loader, None)


def logged_figures(
    checkpoint: Path, config: TrainConfig, manifest: Manifest | None, split: str
) -> dict[str, float]:
    """Validate or test a checkpoint by Lightning's own loop.

    Args:
        checkpoint: Whose weights.
        config: The run's settings.
        manifest: The samples; None where a DataModule of the user's own has them.
        split: ``val`` or ``test``.

    Returns:
        What was logged, by name; nothing where the module has no such step, and in other
        processes than the first.

    Raises:
        DataError: The training split is asked for.
    """
    if split not in ("val", "test"):
        raise DataError(f"data.split={split}: a module of your own is asked of val or test")
    parts = build_own(config, manifest)
    if not has_step(parts, split):
        return {}
    # By one process: several would have to show some samples twice to end together, and a module
    # of the user's own does not know which.
    leave_group()
    if not is_first():
        return {}
    trainer = evaluation_trainer(config.trainer)
    loop: Any = trainer.validate if split == "val" else trainer.test
    more = {"ckpt_path": checkpoint, "weights_only": True}
    run_loop(loop, parts.module, datamodule=parts.data, **more)
    return {name: float(value) for name, value in trainer.callback_metrics.items()}
