"""A tiny network in the real task and a real Trainer, watched, for the tests of tasks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from helpers import train_config
from pytorch_lightning.callbacks import Callback
from torch import Tensor
from torch.utils.data import DataLoader

from osprey.data.dataset import Batch
from osprey.imaging import Preprocess
from osprey.models.checkpoint import CheckpointMetadata
from osprey.models.registry import ModelSpec, build
from osprey.tasks.classification.module import Classification
from osprey.tasks.settings import TrainingSettings

BATCHES, CLASSES = 3, ["a", "b", "c"]
PREPROCESS = Preprocess(size=32, mean=(0.4, 0.5, 0.6), std=(0.2, 0.25, 0.3))
State = dict[str, Tensor]


def make_task(*overrides: str) -> Classification:
    """A tiny network in the task that ``osprey train OVERRIDES...`` would make."""
    torch.manual_seed(0)
    spec = ModelSpec("simple_cnn", "simple_cnn", {"width": 4})
    config = train_config(
        "augmentation=none", "optimizer.lr=0.01", "scheduler.warmup=0", *overrides
    )
    metadata = CheckpointMetadata("classification", spec, CLASSES, PREPROCESS.to_dict())
    return Classification(
        build(spec, len(CLASSES)),
        metadata,
        TrainingSettings.from_config(config),
        config.task,
        config.augmentation,
        np.array([4, 4, 4]),
    )


def random_batches(count: int = BATCHES, seed: int = 0) -> list[Batch]:
    generator = torch.Generator().manual_seed(seed)
    return [
        Batch(
            image=torch.randint(256, (8, 32, 32, 3), dtype=torch.uint8, generator=generator),
            target=torch.randint(len(CLASSES), (8,), generator=generator),
            weight=torch.ones(8),
            index=torch.arange(8) + 8 * number,
        )
        for number in range(count)
    ]


def loader(batches: list[Batch]) -> Any:
    return DataLoader(batches, batch_size=None)  # type: ignore[arg-type]


class Batches(pl.LightningDataModule):
    """Batches made beforehand, in the place of Osprey's own DataModule."""

    def __init__(self, train: list[Batch], val: list[Batch] | None = None) -> None:
        super().__init__()
        self.train, self.val = train, val or []

    def train_batches(self) -> int:
        return len(self.train)

    def train_dataloader(self) -> Any:
        return loader(self.train)

    def val_dataloader(self) -> Any:
        return loader(self.val)


def make_trainer(folder: Path, epochs: int = 1, *watchers: Callback, **more: Any) -> pl.Trainer:
    return pl.Trainer(
        default_root_dir=folder,
        accelerator="cpu",
        max_epochs=epochs,
        callbacks=list(watchers),
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        **more,
    )


def state(task: Classification) -> State:
    return {key: value.clone() for key, value in task.model.state_dict().items()}


def moved(before: State, after: State) -> set[str]:
    return {key for key in before if not torch.equal(before[key], after[key])}


class Recorder(Callback):
    """Keeps the network's state after every batch and every epoch, and validation's outputs."""

    def __init__(self, images: Tensor | None = None) -> None:
        self.batches: list[State] = []
        self.epochs: list[State] = []
        self.images = images
        self.validated: list[Tensor] = []

    def on_train_batch_end(self, trainer: Any, module: Any, *_: Any) -> None:
        self.batches.append(state(module))

    def on_train_epoch_end(self, trainer: Any, module: Any) -> None:
        self.epochs.append(state(module))

    def on_validation_batch_start(self, trainer: Any, module: Any, *_: Any) -> None:
        if self.images is not None:
            self.validated.append(module(self.images).clone())


def run(
    folder: Path, *overrides: str, epochs: int = 1, watchers: Sequence[Callback] = (), **more: Any
) -> tuple[State, State, Recorder, Classification]:
    """Fit; the states before and after, what was seen on the way, and the task."""
    task, recorder = make_task(*overrides), Recorder()
    before = state(task)
    make_trainer(folder, epochs, *watchers, recorder, **more).fit(task, Batches(random_batches()))
    return before, state(task), recorder, task


STATISTICS = {f"stages.{i}.1.{kind}" for i in range(4) for kind in ("running_mean", "running_var")}
COUNTERS = {f"stages.{i}.1.num_batches_tracked" for i in range(4)}
HEAD = {"head.weight", "head.bias"}
WEIGHTS = {f"stages.{i}.{part}" for i in range(4) for part in ("0.weight", "1.weight", "1.bias")}
EVERYTHING = HEAD | WEIGHTS | STATISTICS | COUNTERS
