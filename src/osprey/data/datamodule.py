"""The one DataModule: from a split manifest to loaders of uint8 batches."""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass
from typing import Any, cast

import cv2
import numpy as np
import pytorch_lightning as pl
import torch
from numpy.typing import NDArray
from torch.utils.data import DataLoader

from osprey.config.schema import DataConfig
from osprey.data.dataset import Batch, PhotoDataset, Transform
from osprey.data.manifest import Manifest
from osprey.data.sampler import EvalBatchSampler, TrainBatchSampler, sampling_probabilities
from osprey.imaging import Preprocess


def auto_workers() -> int:
    """Loader processes to start: one core is left to the trainer, and more than 8 seldom help."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return max(0, min(8, (cores or 1) - 1))


@dataclass(frozen=True)
class AsInProduction:
    """The transform outside training. It holds little, since spawned workers get a copy of it."""

    preprocess: Preprocess

    def __call__(self, photo: NDArray[np.uint8], seed: int) -> NDArray[np.uint8]:
        """Photo uint8 HWC to model input uint8 [S, S, 3], whatever the seed."""
        return self.preprocess(photo)


def _start_worker(_: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the trainer's to handle
    cv2.setNumThreads(0)
    torch.set_num_threads(1)


class DataModule(pl.LightningDataModule):
    """Loaders for the splits of one manifest.

    Args:
        manifest: All samples, each with its split.
        classes: Class names in the order of the model's outputs.
        preprocess: How a photo becomes model input outside training.
        config: Batch sizes, workers, sampler.
        seed: Seed of order and augmentation.
        augment: Replaces ``preprocess`` for training photos, with its ``min_side``.
    """

    def __init__(
        self,
        manifest: Manifest,
        classes: list[str],
        preprocess: Preprocess,
        config: DataConfig,
        *,
        seed: int = 0,
        augment: tuple[Transform, int] | None = None,
    ) -> None:
        super().__init__()
        self.manifest = manifest
        self.classes = classes
        self.preprocess = preprocess
        self.config = config
        self.seed = seed
        self.augment = augment

    def dataset(self, split: str, *, augmented: bool = False) -> PhotoDataset:
        """One split as a dataset, prepared as in production unless ``augmented``."""
        plain: tuple[Transform, int] = (
            AsInProduction(self.preprocess),
            self.preprocess.decode_side,
        )
        transform, min_side = self.augment if augmented and self.augment else plain
        part = self.manifest.split(split)
        return PhotoDataset(part, self.classes, transform, min_side=min_side, seed=self.seed)

    def train_dataloader(self) -> DataLoader[Batch]:
        """Shuffled, augmented batches, from where the trainer stands (also in mid-epoch)."""
        dataset = self.dataset("train", augmented=True)
        probabilities = sampling_probabilities(dataset.targets, self.config.sampler)
        sampler = self._train_sampler(len(dataset), probabilities)
        if self.trainer is not None:
            loop = self.trainer.fit_loop
            done = cast(Any, loop.epoch_loop.batch_progress.current).processed
            sampler.epoch = cast(Any, loop.epoch_progress.current).processed
            sampler.start = done if done < len(sampler) else 0
        return self.loader(dataset, sampler)

    def train_batches(self) -> int:
        """Batches of a training epoch, without starting a loader."""
        return len(self._train_sampler(int((self.manifest.table["split"] == "train").sum())))

    def _train_sampler(
        self, count: int, probabilities: NDArray[np.float64] | None = None
    ) -> TrainBatchSampler:
        rank, world = self._place()
        return TrainBatchSampler(
            count,
            self.config.batch_size,
            seed=self.seed,
            probabilities=probabilities,
            rank=rank,
            world_size=world,
        )

    def _place(self) -> tuple[int, int]:
        """This process's rank and the number of processes."""
        if self.trainer is None:
            return 0, 1
        return self.trainer.global_rank, self.trainer.world_size

    def eval_dataloader(self, split: str) -> DataLoader[Batch]:
        """Every photo of ``split`` once, in the manifest's order."""
        dataset = self.dataset(split)
        rank, world = self._place()
        size = max(1, self.config.eval_batch_size // world)
        return self.loader(
            dataset, EvalBatchSampler(len(dataset), size, rank=rank, world_size=world)
        )

    def val_dataloader(self) -> DataLoader[Batch]:
        """The validation split."""
        return self.eval_dataloader("val")

    def test_dataloader(self) -> DataLoader[Batch]:
        """The test split."""
        return self.eval_dataloader("test")

    def loader(self, dataset: PhotoDataset, sampler: Any) -> DataLoader[Batch]:
        """The batches of ``dataset`` that ``sampler`` deals, by this machine's workers."""
        workers = auto_workers() if self.config.num_workers is None else self.config.num_workers
        return DataLoader(
            dataset,
            batch_sampler=sampler,
            num_workers=workers,
            persistent_workers=workers > 0,
            pin_memory=torch.cuda.is_available(),
            worker_init_fn=_start_worker if workers else None,
        )
