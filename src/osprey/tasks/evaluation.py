"""Validation and test of a split by Lightning's Trainer, in one process or in several."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import pytorch_lightning as pl
import torch
from lightning_fabric.plugins.environments.lightning import LightningEnvironment
from pytorch_lightning.callbacks import Callback
from pytorch_lightning.loggers import Logger
from torch import nn

from osprey.config.schema import TrainConfig, TrainerConfig
from osprey.data.manifest import Manifest
from osprey.errors import DataError
from osprey.models.checkpoint import CheckpointMetadata, load_model
from osprey.system.kernels import choose_kernels
from osprey.system.processes import is_shared
from osprey.tasks.answer_writer import AnswerWriter as AnswerWriter
from osprey.tasks.base import Task
from osprey.tasks.loading import run_device
from osprey.tasks.registry import get_task
from osprey.tasks.settings import EvaluationSettings as EvaluationSettings


@dataclass(frozen=True)
class Watchers:
    """Callbacks and loggers that a run's test uses as well as its training.

    Attributes:
        callbacks: Those of the ``callbacks`` group.
        loggers: Those of the ``logger`` group.
    """

    callbacks: Sequence[Callback] = ()
    loggers: Sequence[Logger] = ()


_NOBODY = Watchers()
_watchers: ContextVar[Watchers] = ContextVar("watchers", default=_NOBODY)


@contextmanager
def watched_by(watchers: Watchers) -> Iterator[None]:
    """Trainers made by `evaluation_trainer` in this block also get these callbacks and loggers.

    Args:
        watchers: The callbacks and loggers.
    """
    token = _watchers.set(watchers)
    try:
        yield
    finally:
        _watchers.reset(token)


class _KeepSignals(Callback):
    """SIGTERM ends a test as it ends any process; Lightning would only take note of it."""

    def __init__(self) -> None:
        self.before = signal.getsignal(signal.SIGTERM)

    def on_validation_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Put back the handler that Lightning has just replaced."""
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, self.before)

    on_test_start = on_validation_start


def testing_module(model: nn.Module, metadata: CheckpointMetadata, config: TrainConfig) -> Task:
    """The task's module around a trained network, without a loss: for validation and test only.

    Args:
        model: The network, in evaluation mode.
        metadata: Of its checkpoint.
        config: The run's settings.
    """
    as_predicted = replace(config, trainer=replace(config.trainer, channels_last=True))
    plugin = get_task(metadata.task)
    return cast(Task, plugin.build_module(model, metadata, as_predicted, None))


def load_for_testing(checkpoint: Path, config: TrainConfig) -> tuple[Any, EvaluationSettings]:
    """A checkpoint's module, for validation and test only, and what `evaluate` takes beside it.

    Args:
        checkpoint: The checkpoint.
        config: The run's settings.

    Returns:
        What the task's ``build_module`` makes, and batches and devices.

    Raises:
        CheckpointError: The checkpoint is refused.
    """
    module = testing_module(*load_model(checkpoint, config.trainer.rewrites), config)
    return module, EvaluationSettings(config.data, config.trainer, config.seed)


def evaluate(
    module: Task,
    settings: EvaluationSettings,
    manifest: Manifest,
    split: str,
    *callbacks: Callback,
    validate: bool = False,
) -> None:
    """Run a module on every sample of a split once, in float32 as in prediction.

    In a distributed run every process calls this and gets its part of the samples.

    Args:
        module: From `load_for_testing`.
        settings: Batches and devices.
        manifest: The samples.
        split: ``train``, ``val`` or ``test``.
        callbacks: Such as an `AnswerWriter`.
        validate: Use ``trainer.validate``, which also logs the epoch's metrics; only for ``val``.

    Raises:
        DataError: The split is empty.
    """
    if manifest.split(split).table.empty:
        raise DataError(f"the '{split}' split is empty: nothing to test on")
    data = settings.data_module(manifest, module.metadata)
    data.test_split = split
    module.model.to(memory_format=torch.channels_last)
    trainer = evaluation_trainer(settings.trainer, *callbacks)
    run_loop(trainer.validate if validate else trainer.test, module, datamodule=data)


def run_loop(loop: Any, *what: Any, **more: Any) -> None:
    """Call a Trainer's ``validate`` or ``test``.

    Args:
        loop: The Trainer's bound method.
        *what: Its arguments.
        **more: Its keyword arguments.

    Raises:
        KeyboardInterrupt: On Ctrl-C, which Lightning turns into SystemExit.
    """
    before = signal.getsignal(signal.SIGINT)
    try:
        loop(*what, **more, verbose=False)
    except SystemExit as stop:  # what Lightning makes of it
        with suppress(ValueError):  # of a thread that may not
            signal.signal(signal.SIGINT, before)
        if isinstance(stop.__context__, KeyboardInterrupt):
            raise stop.__context__ from None
        raise


def evaluation_trainer(config: TrainerConfig, *callbacks: Callback) -> pl.Trainer:
    """A Trainer for validation and test without checkpoints, progress bar and other output.

    Args:
        config: The run's ``trainer`` settings.
        callbacks: Added to those of `watched_by`.

    Returns:
        The Trainer, on one device unless processes are distributed.

    Raises:
        ConfigError: The device does not exist.
    """
    device, watchers = run_device(config), _watchers.get()
    choose_kernels(config.deterministic)
    one: dict[str, Any] = {
        "accelerator": {"cuda": "gpu"}.get(device.type, device.type),
        "devices": 1,
        "plugins": [LightningEnvironment()],
    }
    all_of_them = {
        "accelerator": config.accelerator,
        "devices": config.devices,
        "num_nodes": config.num_nodes,
        "strategy": "ddp",
    }
    return pl.Trainer(
        **(all_of_them if is_shared() else one),
        callbacks=[_KeepSignals(), *callbacks, *watchers.callbacks],
        limit_val_batches=config.limit_eval_batches,
        limit_test_batches=config.limit_eval_batches,
        deterministic="warn" if config.deterministic else False,
        benchmark=not config.deterministic,
        use_distributed_sampler=False,
        logger=list(watchers.loggers) or False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
