"""Lightning's Trainer, told what the configuration says."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import Callback, ModelCheckpoint
from pytorch_lightning.plugins.io import TorchCheckpointIO
from pytorch_lightning.strategies import DDPStrategy, FSDPStrategy, Strategy

from osprey.config.schema import TrainConfig
from osprey.models.checkpoint import read_checkpoint, write_checkpoint
from osprey.tasks.metrics import SELECTED_BY
from osprey.training.callbacks import ExplainedEarlyStopping, MetricsTable, Progress, SaveOnSignal
from osprey.training.loggers import make_loggers
from osprey.training.run_folder import RunFolder


class SafeCheckpointIO(TorchCheckpointIO):
    """Checkpoints renamed into place when whole, and opened without running code in them."""

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | os.PathLike[str], storage_options: Any = None
    ) -> None:
        """Write to a temporary name beside ``path``, then rename."""
        write_checkpoint(checkpoint, Path(path))

    def load_checkpoint(
        self,
        path: str | os.PathLike[str],
        map_location: Callable[..., Any] | None = None,
        weights_only: bool | None = None,
    ) -> dict[str, Any]:
        """Open tensors and plain data; anything else is refused."""
        return read_checkpoint(Path(path))


def _strategy(config: TrainConfig) -> str | Strategy:
    if config.trainer.strategy == "ddp":
        # While the backbone rests its parameters take no part, which DDP must be told to expect.
        resting = isinstance(config.model.freeze, int) and config.model.freeze > 0
        return DDPStrategy(find_unused_parameters=resting)
    if config.trainer.strategy == "fsdp":
        return FSDPStrategy(state_dict_type="full")
    return "auto"


def make_trainer(config: TrainConfig, run: RunFolder) -> pl.Trainer:
    """The Trainer of one run; it writes nowhere but into the run folder."""
    trainer = config.trainer
    callbacks: list[Callback] = [
        MetricsTable(run.path / "metrics.csv"),
        Progress(bar=config.callbacks.progress),
        SaveOnSignal(run.last),
        ModelCheckpoint(
            dirpath=run.best.parent,
            filename="best",
            monitor=SELECTED_BY,
            mode="max",
            save_last=True,
            auto_insert_metric_name=False,
            enable_version_counter=False,
            save_on_train_epoch_end=True,
        ),
    ]
    if config.callbacks.early_stopping is not None:
        callbacks.append(ExplainedEarlyStopping(config.callbacks.early_stopping))
    return pl.Trainer(
        default_root_dir=run.path,
        accelerator=trainer.accelerator,
        devices=trainer.devices,
        strategy=_strategy(config),
        precision=trainer.precision,  # type: ignore[arg-type]
        max_epochs=trainer.max_epochs,
        gradient_clip_val=trainer.gradient_clip,
        accumulate_grad_batches=trainer.accumulate,
        limit_train_batches=trainer.limit_train_batches,
        limit_val_batches=trainer.limit_eval_batches,
        deterministic="warn" if trainer.deterministic else False,
        benchmark=not trainer.deterministic,
        profiler=_profiler(config, run),
        logger=make_loggers(config, run) or False,
        callbacks=callbacks,
        plugins=[SafeCheckpointIO()],
        num_sanity_val_steps=0,
        use_distributed_sampler=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        log_every_n_steps=10,
    )


def _profiler(config: TrainConfig, run: RunFolder) -> Any:
    if config.trainer.profiler is None:
        return None
    from pytorch_lightning.profilers import AdvancedProfiler, PyTorchProfiler, SimpleProfiler

    kinds: dict[str, Any] = {
        "simple": SimpleProfiler,
        "advanced": AdvancedProfiler,
        "pytorch": PyTorchProfiler,
    }
    return kinds[config.trainer.profiler](dirpath=run.path, filename="profile")
