"""How much of training's time went into waiting for the next batch, and what to do about it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback

from osprey.config.schema import DataConfig
from osprey.system.memory import auto_workers, cores

NAME = "data_wait"  # the column of metrics.csv: 0 to 1
TOO_MUCH = 0.1
_GPU_EVERY = 10  # steps: a GPU works ahead, and waiting for it at every step would slow it down


class DataWait(Callback):
    """Times the gap between the end of one step and the start of the next.

    On a GPU the measured steps begin and end with the device at rest, so that what is measured is
    the time it would stand idle.
    """

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        """Args: a clock in seconds."""
        self.clock = clock
        self.waited = self.worked = 0.0
        self.gap: float | None = None  # seconds between the last two steps, if they are measured
        self.ended: float | None = None
        self.started = 0.0

    @property
    def share(self) -> float:
        """Waiting's share of the epoch so far, 0 to 1."""
        return self.waited / max(self.waited + self.worked, 1e-9)

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Count anew; the first batch of an epoch comes after a validation and is not counted."""
        self.waited = self.worked = 0.0
        self.gap = self.ended = None

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: Any, batch: Any, batch_idx: int
    ) -> None:
        """The batch is there."""
        self.started = self.clock()
        self.gap = None if self.ended is None else self.started - self.ended

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """The step is done."""
        on_gpu = pl_module.device.type == "cuda"
        measured, next_measured = self.gap is not None, (batch_idx + 1) % _GPU_EVERY == 0
        if on_gpu and (measured or next_measured):
            torch.cuda.synchronize(pl_module.device)
        now = self.clock()
        if self.gap is not None:
            self.waited += self.gap
            self.worked += now - self.started
        self.ended = now if next_measured or not on_gpu else None

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Publish the epoch's share."""
        pl_module.log(NAME, self.share, sync_dist=trainer.world_size > 1)


def advice(share: float, data: DataConfig, photos: int, side: int, free: int | None) -> str | None:
    """What would shorten the waiting, or None where there is little of it.

    Args:
        share: Waiting's share of the time.
        data: How the photos are read now.
        photos: How many there are to train on.
        side: Pixels a side of what they are decoded to, about.
        free: Bytes of memory that are free, None where that is not known.
    """
    if share <= TOO_MUCH:
        return None
    head = f"data wait {share:.0%}: "
    size = photos * side * side * 4  # three bytes a pixel; photos are longer than they are high
    amount = f"{size / 1e9:.1f} GB" if size >= 1e8 else f"{size / 1e6:.0f} MB"
    if data.cache == "none" and size < (free or 0) / 2:
        return f"{head}data.cache=ram keeps decoded photos (about {amount})"
    if data.cache == "none":
        return f"{head}data.cache=disk keeps decoded photos (about {amount})"
    workers = auto_workers() if data.num_workers is None else data.num_workers
    most = cores() - 1
    if workers < most:
        return f"{head}data.num_workers={most} prepares more photos at once (now {workers})"
    return f"{head}fewer or cheaper augmentation steps, or a smaller data.train_size"
