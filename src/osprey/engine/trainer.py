"""Lightning's Trainer, with the arguments that the configuration gives it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

import pytorch_lightning as pl
from pytorch_lightning.callbacks import (
    Callback,
    Checkpoint,
    EarlyStopping,
    GradientAccumulationScheduler,
    ModelSummary,
    ProgressBar,
)
from pytorch_lightning.loggers.logger import DummyLogger
from pytorch_lightning.profilers import Profiler

from osprey.config.parse import LIGHTNING
from osprey.config.schema import CallbacksConfig, CostConfig, TrainConfig
from osprey.engine.callbacks.budget import budget_callbacks
from osprey.engine.callbacks.build import make_callbacks
from osprey.engine.callbacks.checkpoint import BestAndLast, SafeCheckpointIO, SaveOnSignal
from osprey.engine.callbacks.data_wait import DataWait
from osprey.engine.callbacks.looks import LooksAtPhotos
from osprey.engine.callbacks.only_numbers import OnlyNumbers
from osprey.engine.callbacks.progress import MetricsTable, Progress
from osprey.engine.callbacks.trial_reports import trial_reports
from osprey.engine.loggers.build import make_loggers, run_time_values
from osprey.engine.strategies import make_strategy
from osprey.ensembling.averaging import gatherers
from osprey.ensembling.ema import EMA
from osprey.runs.folder import RunFolder
from osprey.system.instantiate import call, instantiate, made
from osprey.system.kernels import choose_kernels
from osprey.system.targets import check_arguments, import_target
from osprey.tasks.evaluation import Watchers
from osprey.tasks.plugin import MetricSpec
from osprey.tasks.registry import shown_metrics


def _callbacks(
    settings: CallbacksConfig,
    cost: CostConfig,
    values: Mapping[str, Any],
    run: RunFolder,
    metrics: Sequence[MetricSpec],
) -> list[Callback]:
    """What every run has, then what the ``callbacks`` group names."""
    wait, looks, decay = DataWait(), LooksAtPhotos(), settings.ema_decay
    return [
        *([] if decay is None else [EMA(decay)]),
        OnlyNumbers(),
        wait,
        MetricsTable(run.path / "metrics.csv"),
        Progress(wait, looks, metrics, bar=settings.progress),
        looks,
        *gatherers(settings.averaging, run.last.parent),
        *budget_callbacks(cost, run),
        SaveOnSignal(run.last),
        BestAndLast(run.best, run.last, metrics[0], settings.checkpoint_rule, looks),
        *make_callbacks(settings, values, run, metrics[0]),
        *trial_reports(metrics[0].logged),
    ]


# Callbacks for training only, or which Lightning refuses in a Trainer without output.
_OF_TRAINING = (Checkpoint, EarlyStopping, ProgressBar, ModelSummary, GradientAccumulationScheduler)


def watchers_of(trainer: pl.Trainer) -> Watchers:
    """Callbacks and loggers of the configuration that the test uses as well.

    Args:
        trainer: Made by `make_trainer`.

    Returns:
        The callbacks, Osprey's own and those for training only left out, and the loggers.
    """
    every = cast(Any, trainer).callbacks
    named = [c for c in every if not type(c).__module__.startswith("osprey.")]
    return Watchers([c for c in named if not isinstance(c, _OF_TRAINING)], trainer.loggers)


def make_trainer(config: TrainConfig, run: RunFolder) -> pl.Trainer:
    """The Trainer of one run; it writes only to the run folder.

    Args:
        config: The run's settings.
        run: Its folder.

    Returns:
        The Trainer, or the user's own class of ``trainer._target_``.

    Raises:
        ConfigError: A callback, logger, strategy or profiler cannot be built, or an argument is
            unknown.
    """
    trainer, values = config.trainer, run_time_values(config, run)
    choose_kernels(trainer.deterministic)
    metrics = shown_metrics(config.task.name, config.monitor, config.mode)
    # Callbacks and modules of the user's own may want a logger, even if it writes nothing.
    own = bool(config.callbacks.args) or config.task.name == LIGHTNING
    ours: dict[str, Any] = {
        "default_root_dir": run.path,
        "accelerator": trainer.accelerator,
        "devices": trainer.devices,
        "num_nodes": trainer.num_nodes,
        "strategy": make_strategy(trainer, config.model),
        "precision": trainer.precision,
        "max_epochs": trainer.max_epochs,
        "gradient_clip_val": trainer.gradient_clip,
        "accumulate_grad_batches": trainer.accumulate,
        "limit_train_batches": trainer.limit_train_batches,
        "limit_val_batches": trainer.limit_eval_batches,
        "deterministic": "warn" if trainer.deterministic else False,
        "benchmark": not trainer.deterministic,
        "profiler": _profiler(trainer.profiler, run),
        "logger": make_loggers(config.logger.args, values) or (DummyLogger() if own else False),
        # BatchNorm then sees the whole batch, as one device would; there is none for CPUs.
        "sync_batchnorm": trainer.strategy == "ddp" and trainer.accelerator == "gpu",
        "callbacks": _callbacks(config.callbacks, config.cost, values, run, metrics),
        "plugins": [SafeCheckpointIO()],
        "num_sanity_val_steps": 0,
        "use_distributed_sampler": config.data.is_foreign,
        "enable_progress_bar": False,
        "enable_model_summary": False,
        "log_every_n_steps": 10,
    }
    more = {key: made(f"trainer.{key}", value) for key, value in trainer.args.items()}
    if "plugins" in more:
        more["plugins"] = [*ours["plugins"], *_as_list(more["plugins"])]
    found = import_target("trainer", trainer.target)
    check_arguments("trainer", trainer.target, found, more)
    return cast(pl.Trainer, call("trainer", trainer.target, found, {**ours, **more}))


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _profiler(profiler: Any, run: RunFolder) -> Any:
    if profiler is None:
        return None
    if isinstance(profiler, dict):
        return instantiate("trainer.profiler", profiler, Profiler)
    from pytorch_lightning.profilers import AdvancedProfiler, PyTorchProfiler, SimpleProfiler

    kinds: dict[str, Any] = {
        "simple": SimpleProfiler,
        "advanced": AdvancedProfiler,
        "pytorch": PyTorchProfiler,
    }
    return kinds[profiler](dirpath=run.path, filename="profile")
