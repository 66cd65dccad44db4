"""The one DataModule: from a split manifest to loaders of uint8 batches, with boxes or without."""

from __future__ import annotations

import atexit
import multiprocessing
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import cv2
import numpy as np
import pytorch_lightning as pl
import torch
from numpy.typing import NDArray
from torch.utils.data import DataLoader, Dataset

from osprey.config.schema import DataConfig
from osprey.config.sources import roots_of
from osprey.data.balance import columns_of
from osprey.data.cache import PhotoCache, Source
from osprey.data.caching import cache_photos
from osprey.data.dataset import Batch, Decoding, Photos
from osprey.data.manifest import Manifest
from osprey.data.sampler import EvalBatchSampler, TrainBatchSampler, sampling_probabilities
from osprey.data.stamps import file_stamps, list_digest
from osprey.errors import UserError
from osprey.imaging import Preprocess
from osprey.system.instantiate import instantiate
from osprey.system.memory import auto_workers, give_back


def _start_worker(_: int) -> None:
    # Both reach the whole group of processes, and are the trainer's to handle.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    cv2.setNumThreads(0)
    torch.set_num_threads(1)


def _end_workers() -> None:
    """End loader processes that an error has left, before Python waits for them.

    SIGTERM, by which it would end them, they do not heed.
    """
    for process in multiprocessing.active_children():
        if process.daemon:
            process.kill()


atexit.register(_end_workers)  # comes before multiprocessing's own, which was registered earlier


class DataModule(pl.LightningDataModule):
    """Loaders for the splits of one manifest.

    Args:
        augment: Replaces ``preprocess`` for training photos, with the ``min_side`` it decodes at.
        manifest: All samples, each with its split; with boxes, batches are `BoxBatch`es.
        classes: Class names in the order of the model's outputs.
        preprocess: How a photo becomes model input outside training.
        config: Batch sizes, workers, sampler, cache.
        seed: Seed of order and augmentation.
        cache: ``paths.cache``, for ``data.cache=disk``.
        say: Takes lines for the user.
    """

    def __init__(
        self,
        manifest: Manifest,
        classes: list[str],
        preprocess: Preprocess,
        config: DataConfig,
        *,
        seed: int = 0,
        augment: tuple[Any, int] | None = None,
        cache: Path = Path("cache"),
        say: Callable[[str], None] = print,
    ) -> None:
        super().__init__()
        self.manifest = manifest
        self.classes = classes
        self.preprocess = preprocess
        self.config = config
        self.seed = seed
        self.augment = augment
        self.cache = cache
        self.say = say
        self.test_split = "test"
        self._caches: dict[str, PhotoCache] = {}  # of train augmented, and of val as in production

    def setup(self, stage: str) -> None:
        """Before training: decode the photos once, if ``data.cache`` is set.

        Rank 0 decodes them; the other processes of a distributed run use its cache.

        Args:
            stage: Lightning's; only ``fit`` does anything.

        Raises:
            DataError: There is not enough memory or disk space.
            UnreadableImage: A file cannot be decoded.
        """
        if stage != "fit" or self.config.cache == "none" or self._caches:
            return
        made: dict[str, PhotoCache] | UserError = {}
        if self._place()[0] == 0:
            try:
                made = self._cached()
            except UserError as error:  # which the others wait to hear of
                made = error
        if self.trainer is not None and self.trainer.world_size > 1:
            made = self.trainer.strategy.broadcast(made)
        if isinstance(made, UserError):
            raise made
        self._caches = made

    def _cached(self) -> dict[str, PhotoCache]:
        root = self.manifest.root
        train, val = self.dataset("train", augmented=True), self.dataset("val")
        form = self.preprocess
        deep = f" {form.value_range}" if form.value_range else ""
        recipes = {
            "train": f"{train.min_side} {train.max_side} {list_digest(train.paths)}{deep}",
            "val": f"{form.size} {form.resize} {form.crop_pct} {list_digest(val.paths)}{deep}",
        }
        sources = [
            Source(name, len(data), read, file_stamps(root, data.paths), recipes[name])
            for name, data, read in (
                ("train", train, train.photo),
                ("val", val, lambda row: form(val.photo(row))),
            )
        ]
        read = roots_of(self.config) if self.config.sources else [root]
        made = cache_photos(sources, self.config.cache, root, self.cache, self.say, read)
        return dict(zip(recipes, made, strict=True))

    def dataset(self, split: str, *, augmented: bool = False) -> Photos:
        """One split as a dataset.

        Args:
            split: ``train``, ``val`` or ``test``.
            augmented: Apply the training augmentation, else the preprocessing of production.

        Returns:
            The dataset of the manifest's target (labels or boxes).
        """
        transform, side, most = None, self.preprocess.decode_side, None
        if augmented and self.augment:
            transform, side = self.augment
            most = 2 * side
        cache = self._caches.get(split) if augmented or split == "val" else None
        ready = cache is not None and not augmented
        table, target = self.manifest.table, self.manifest.target
        # Only what it needs: the other columns of a million rows are a lot to copy.
        columns = ["path", "label", "weight", *target.columns]
        part = Manifest(self.manifest.root, table.loc[table["split"] == split, columns])
        decoding = Decoding(
            min_side=side,
            seed=self.seed,
            max_side=most,
            cache=cache,
            value_range=self.preprocess.value_range,
        )
        return target.dataset(
            part, self.classes, self.preprocess, transform, ready=ready, decoding=decoding
        )

    def train_dataloader(self) -> DataLoader[Batch]:
        """Shuffled, augmented batches, from the trainer's position (also within an epoch).

        Raises:
            ConfigError: ``data.sampler`` or ``data.collate`` of the user's own fails.
        """
        dataset = self.dataset("train", augmented=True)
        sampler = self._train_sampler(len(dataset), self.probabilities(dataset.targets))
        if self.trainer is not None:
            dataset.epochs = self.trainer.max_epochs or 0
            loop = self.trainer.fit_loop
            done = cast(Any, loop.epoch_loop.batch_progress.current).processed
            sampler.epoch = cast(Any, loop.epoch_progress.current).processed
            limit = self.trainer.limit_train_batches  # whole batches, or 1.0 for all
            epoch = min(len(sampler), limit) if isinstance(limit, int) else len(sampler)
            sampler.start = done if done < epoch else 0
        return self.loader(dataset, sampler, self._collate())

    def probabilities(self, targets: NDArray[np.int64]) -> NDArray[np.float64] | None:
        """Probability of each training photo to be drawn; None where each is drawn once an epoch.

        Args:
            targets: int64 [N], of the training split.

        Raises:
            ConfigError: ``data.sampler`` of the user's own fails.
        """
        table, by = self.manifest.table, self.config.balance_by
        part = Manifest(self.manifest.root, table.loc[table["split"] == "train", by])
        return sampling_probabilities(targets, self.config.sampler, columns_of(part, by))

    def train_batches(self) -> int:
        """Number of batches per training epoch and process, without starting a loader."""
        return len(self._plain_sampler())

    def left_over(self) -> int:
        """Training photos that fill no batch: other ones in each epoch."""
        sampler = self._plain_sampler()
        return max(0, sampler.count - len(sampler) * sampler.share * sampler.world_size)

    def _plain_sampler(self) -> TrainBatchSampler:
        """Of the training split without probabilities, which change no number of batches."""
        return self._train_sampler(int((self.manifest.table["split"] == "train").sum()))

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
        """The split ``test_split``, which is ``test`` by default."""
        return self.eval_dataloader(self.test_split)

    def _collate(self) -> Callable[[Any], Any] | None:
        """The user's own function from a list of samples to a training batch, if one is named.

        Validation and test see batches as production makes them.
        """
        node = self.config.collate
        if node is None:
            return None
        made: Callable[[Any], Any] = instantiate("data.collate", {**node, "_partial_": True})
        return made

    def loader(
        self, dataset: Photos, sampler: Any, collate: Callable[[Any], Any] | None = None
    ) -> DataLoader[Batch]:
        """Build a DataLoader with the configured number of workers.

        Args:
            dataset: The samples.
            sampler: Yields lists of `Key`s, one per batch.
            collate: From a list of samples to a batch; None for the dataset's own.

        Returns:
            The loader; memory is pinned where there is a GPU.
        """
        workers = auto_workers() if self.config.num_workers is None else self.config.num_workers
        give_back()  # what it took to get here, before workers share it
        return DataLoader(
            cast("Dataset[Batch]", dataset),  # of samples, which are collated to batches
            batch_sampler=sampler,
            num_workers=workers,
            collate_fn=collate or dataset.collate,
            persistent_workers=workers > 0,
            pin_memory=torch.cuda.is_available(),
            worker_init_fn=_start_worker if workers else None,
        )
