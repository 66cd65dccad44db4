"""The one loop over a split of photos: Lightning validates or tests, in one process or in many."""

from __future__ import annotations

import copy
import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, cast

import pytorch_lightning as pl
import torch
from lightning_fabric.plugins.environments.lightning import LightningEnvironment
from pytorch_lightning.callbacks import Callback
from pytorch_lightning.loggers import Logger
from torch import nn

from osprey.config.groups.trainer import TrainerConfig
from osprey.config.schema import TrainConfig
from osprey.data.datamodule import DataModule
from osprey.data.manifest import Manifest
from osprey.errors import DataError
from osprey.imaging import Preprocess
from osprey.models.checkpoint import CheckpointMetadata
from osprey.tasks.answer_writer import AnswerWriter as AnswerWriter
from osprey.tasks.base import Task
from osprey.tasks.loading import run_device
from osprey.tasks.processes import is_shared
from osprey.tasks.registry import get_task


@dataclass(frozen=True)
class Watchers:
    """What follows a run through its test, as it did through training.

    Attributes:
        callbacks: Those that the ``callbacks`` group names.
        loggers: Those of the ``logger`` group.
    """

    callbacks: Sequence[Callback] = ()
    loggers: Sequence[Logger] = ()


_NOBODY = Watchers()
_watchers: ContextVar[Watchers] = ContextVar("watchers", default=_NOBODY)


@contextmanager
def watched_by(watchers: Watchers) -> Iterator[None]:
    """Whatever is tested in this block is also seen by these."""
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
    """The task's module around a trained network, to be validated and tested, not trained.

    Args:
        model: The network, in evaluation mode.
        metadata: What its checkpoint says of it.
        config: The run's settings.
    """
    settings = copy.deepcopy(config)
    settings.trainer.channels_last = True  # as prediction has it
    model.to(memory_format=torch.channels_last)
    plugin = get_task(metadata.task)
    return cast(Task, plugin.build_module(model, metadata, settings, None))


def evaluate(
    module: Task, manifest: Manifest, split: str, *callbacks: Callback, validate: bool = False
) -> None:
    """Ask a module about every sample of a split, once, in float32 as prediction does.

    In a distributed run every process calls this, and each is asked about its share.

    Args:
        module: Made by `testing_module`.
        manifest: The samples.
        split: Which of them.
        callbacks: What looks on, such as an `AnswerWriter`.
        validate: By ``trainer.validate``, which also logs the figures of an epoch; of ``val``.

    Raises:
        DataError: The split holds nothing.
    """
    if manifest.split(split).table.empty:
        raise DataError(f"the '{split}' split is empty: nothing to test on")
    config, metadata = module.config, module.metadata
    preprocess = Preprocess.from_dict(metadata.preprocess)
    data = DataModule(manifest, metadata.classes, preprocess, config.data, seed=config.seed)
    data.test_split = split
    trainer = evaluation_trainer(config.trainer, *callbacks)
    run_loop(trainer.validate if validate else trainer.test, module, datamodule=data)


def run_loop(loop: Any, *what: Any, **more: Any) -> None:
    """Call a Trainer's ``validate`` or ``test``; a Ctrl-C stays a KeyboardInterrupt."""
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
    """A Trainer that validates and tests and writes nothing by itself; `Watchers` see it.

    Args:
        config: The run's ``trainer`` settings.
        callbacks: What looks on.
    """
    device, watchers = run_device(config), _watchers.get()
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
