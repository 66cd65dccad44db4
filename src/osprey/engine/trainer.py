"""Lightning's Trainer, told what the configuration says."""

from __future__ import annotations

from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import Callback
from pytorch_lightning.strategies import DDPStrategy, FSDPStrategy, Strategy

from osprey.config.schema import TrainConfig
from osprey.engine.callbacks.checkpoint import BestAndLast, SafeCheckpointIO, SaveOnSignal
from osprey.engine.callbacks.data_wait import DataWait
from osprey.engine.callbacks.progress import ExplainedEarlyStopping, MetricsTable, Progress
from osprey.engine.loggers.build import make_loggers
from osprey.ensembling.averaging import gatherers
from osprey.runs.folder import RunFolder
from osprey.tasks.registry import get_task


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
    wait, metrics = DataWait(), get_task(config.task.name).metrics
    callbacks: list[Callback] = [
        wait,
        MetricsTable(run.path / "metrics.csv"),
        Progress(wait, metrics, bar=config.callbacks.progress),
        *gatherers(config.callbacks.averaging, run.last.parent),
        SaveOnSignal(run.last),
        BestAndLast(run.best, run.last, metrics[0].logged),
    ]
    if config.callbacks.early_stopping is not None:
        callbacks.append(ExplainedEarlyStopping(config.callbacks.early_stopping, metrics[0]))
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
        # BatchNorm then sees the whole batch, as one device would; there is none for CPUs.
        sync_batchnorm=trainer.strategy == "ddp" and trainer.accelerator == "gpu",
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
