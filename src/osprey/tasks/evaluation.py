"""The one loop over a split of photos: Lightning validates or tests, in one process or in many."""

from __future__ import annotations

import copy
import signal
import threading
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Generic, TypeVar, cast

import pytorch_lightning as pl
import torch
from lightning_fabric.plugins.environments.lightning import LightningEnvironment
from pytorch_lightning.callbacks import BasePredictionWriter, Callback
from torch import Tensor, nn

from osprey.config.groups.trainer import TrainerConfig
from osprey.config.schema import TrainConfig
from osprey.data.datamodule import DataModule
from osprey.data.manifest import Manifest
from osprey.errors import DataError
from osprey.imaging import Preprocess
from osprey.models.checkpoint import CheckpointMetadata
from osprey.tasks.base import Task
from osprey.tasks.loading import run_device
from osprey.tasks.processes import in_all_processes, is_shared
from osprey.tasks.registry import get_task

T = TypeVar("T", bound=Task)


class AnswerWriter(BasePredictionWriter, Generic[T]):
    """Gathers what the step answers of each sample, over all processes, each sample once.

    A step of validation, test or prediction returns one answer a sample of its batch: a tensor
    [B, ...] or a list. When the split is done, every process gets all of them in ``finish``.
    """

    def __init__(self) -> None:
        super().__init__("epoch")
        self._numbers: list[int] = []
        self._answers: list[Any] = []

    def finish(self, module: T, answers: Any) -> None:
        """Use the answers; what is written, the first process writes.

        Args:
            module: Whose answers they are.
            answers: One a sample in the manifest's order: a tensor [N, ...] on the CPU, float32
                where it was of less, or a list.
        """
        raise NotImplementedError

    def on_validation_batch_end(
        self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, *_: Any, **__: Any
    ) -> None:
        """Keep the answers about one batch."""
        numbers = batch["index"].tolist()
        real = [row for row, number in enumerate(numbers) if number >= 0]  # others fill it up
        self._numbers += [numbers[row] for row in real]
        if isinstance(outputs, Tensor):
            self._answers.append(outputs[real].float().cpu())
        else:
            self._answers += [outputs[row] for row in real]

    on_test_batch_end = on_validation_batch_end
    on_predict_batch_end = on_validation_batch_end

    def on_validation_epoch_end(self, trainer: Any, pl_module: Any) -> None:
        """Hand on the answers about the whole split."""
        parts = in_all_processes((self._numbers, self._answers))
        self._numbers, self._answers = [], []
        numbers = [number for part, _ in parts for number in part]
        answers = [answer for _, part in parts for answer in part]
        order = sorted(range(len(numbers)), key=numbers.__getitem__)
        tensors = bool(answers) and isinstance(answers[0], Tensor)
        found = torch.cat(answers)[order] if tensors else [answers[row] for row in order]
        self.write_on_epoch_end(trainer, pl_module, cast(Any, found), [numbers[o] for o in order])

    on_test_epoch_end = on_validation_epoch_end
    on_predict_epoch_end = on_validation_epoch_end

    def write_on_epoch_end(
        self, trainer: Any, pl_module: Any, predictions: Any, batch_indices: Sequence[Any]
    ) -> None:
        """Lightning's name for ``finish``."""
        self.finish(pl_module, predictions)


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
    except SystemExit:  # what Lightning makes of it
        with suppress(ValueError):  # of a thread that may not
            signal.signal(signal.SIGINT, before)
        raise KeyboardInterrupt from None


def evaluation_trainer(
    config: TrainerConfig, *callbacks: Callback, logger: Any = False
) -> pl.Trainer:
    """A Trainer that validates and tests and writes nothing by itself.

    Args:
        config: The run's ``trainer`` settings.
        callbacks: What looks on.
        logger: Loggers that are told the figures.
    """
    device = run_device(config)
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
        callbacks=[_KeepSignals(), *callbacks],
        limit_val_batches=config.limit_eval_batches,
        limit_test_batches=config.limit_eval_batches,
        deterministic="warn" if config.deterministic else False,
        benchmark=not config.deterministic,
        use_distributed_sampler=False,
        logger=logger,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
