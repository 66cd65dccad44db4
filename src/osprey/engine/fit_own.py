"""Train a LightningModule of the user's own, with Osprey's callbacks and loggers."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback

from osprey import __version__
from osprey.config.schema import TrainConfig
from osprey.engine.console import print_rewrites
from osprey.engine.trainer import make_trainer, watchers_of
from osprey.errors import LimitReached
from osprey.models.checkpoint import METADATA_KEY, CheckpointMetadata
from osprey.models.registry import ModelSpec
from osprey.runs.folder import RunFolder
from osprey.system.console import say
from osprey.tasks.evaluation import Watchers
from osprey.tasks.lightning.build import build_own
from osprey.tasks.loading import memory_rewrite
from osprey.tuning.autotune import resolve_auto


class DescribeCheckpoint(Callback):
    """Adds Osprey's metadata to checkpoints of a module that does not know Osprey.

    Args:
        metadata: The metadata.
    """

    def __init__(self, metadata: CheckpointMetadata) -> None:
        self.metadata = metadata

    def on_save_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Add the metadata."""
        checkpoint.setdefault(METADATA_KEY, self.metadata.to_dict())


def fit_own(run: RunFolder, config: TrainConfig) -> Watchers:
    """Train, validate every epoch, keep the best and the last checkpoint.

    Args:
        run: The run folder.
        config: Its configuration.

    Returns:
        Callbacks and loggers of the configuration, for the test.

    Raises:
        Interrupted: After a signal; ``last.ckpt`` was saved.
        ConfigError: The module or the data cannot be built, or the monitored metric is not logged.
    """
    resolve_auto(config.trainer)
    memory = memory_rewrite(config.trainer)  # of the process: the module stays as it is
    resuming = run.last.is_file()
    manifest = None if config.data.is_foreign else run.load_manifest(config.data.root)
    parts = build_own(config, manifest)
    trainer = make_trainer(config, run)
    target = config.task.target
    spec = ModelSpec(target, target.rpartition(".")[2], {})
    classes = [] if manifest is None else list(manifest.classes)
    metadata = CheckpointMetadata(config.task.name, spec, classes, {})
    trainer.callbacks.insert(0, DescribeCheckpoint(metadata))  # type: ignore[attr-defined]
    parts.schedule.trainer = trainer
    if trainer.is_global_zero:
        run.save_config(config)
        data = config.data.target if config.data.is_foreign else config.data.name
        _describe(parts.module, target, data, trainer)
        print_rewrites(memory)
        say(f"run     {run.path}")
    checkpoint = run.last if resuming else None
    with suppress(LimitReached):  # what is best by then is tested
        trainer.fit(parts.module, parts.data, ckpt_path=checkpoint, weights_only=True)
    return watchers_of(trainer)


def _describe(module: pl.LightningModule, target: str, data: str, trainer: pl.Trainer) -> None:
    device = trainer.strategy.root_device
    where = torch.cuda.get_device_name(device) if device.type == "cuda" else device.type.upper()
    many = f" x {trainer.world_size}" if trainer.world_size > 1 else ""
    say(f"osprey  {__version__}, torch {torch.__version__}, {where}{many}")
    parameters = sum(p.numel() for p in module.parameters())
    say(f"module  {target}, {parameters / 1e6:.2f} M parameters; data {data}")
