"""Measures how long training waits for data, and suggests settings."""

from __future__ import annotations

import os
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
    """Measures the time between the end of one step and the start of the next.

    On a GPU the measured steps are synchronised, so that the time measured is idle time of the
    device.

    Args:
        clock: Returns seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self.clock = clock
        self.waited = self.worked = 0.0
        self.gap: float | None = None  # seconds between the last two steps, if they are measured
        self.ended: float | None = None
        self.started = 0.0

    @property
    def share(self) -> float:
        """Fraction of the epoch so far spent waiting for data, 0 to 1."""
        return self.waited / max(self.waited + self.worked, 1e-9)

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Reset; the first batch of an epoch follows a validation and is not counted."""
        self.waited = self.worked = 0.0
        self.gap = self.ended = None

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: Any, batch: Any, batch_idx: int
    ) -> None:
        """Note when the batch arrived."""
        self.started = self.clock()
        self.gap = None if self.ended is None else self.started - self.ended

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Note when the step was done."""
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
        """Log the epoch's fraction."""
        pl_module.log(NAME, self.share, sync_dist=trainer.world_size > 1)


def others_load(workers: int | None, threads: int) -> float:
    """Programs that wait for the processor beside this one, on average over the last minute.

    Args:
        workers: Loader processes of this training; None: as many as are chosen by itself.
        threads: Threads of its own process.

    Returns:
        0 where there are none, or the system does not tell.
    """
    try:
        load = os.getloadavg()[0]
    except (AttributeError, OSError):  # Windows has none
        return 0.0
    own = 1 + threads + (auto_workers() if workers is None else workers)
    return max(0.0, load - own)


def advice(
    share: float,
    data: DataConfig,
    photos: int,
    side: int,
    free: int | None,
    others: float = 0.0,
) -> str | None:
    """Suggest a setting that shortens data loading.

    Args:
        share: Fraction of the time spent waiting, 0 to 1.
        data: The data settings.
        photos: Number of training photos.
        side: Approximate side in pixels of decoded photos.
        free: Free memory in bytes, None if unknown.
        others: Programs that want the processor as well (`others_load`).

    Returns:
        One line, or None where the fraction is at most 10%.
    """
    if share <= TOO_MUCH:
        return None
    head = f"data wait {share:.0%}: "
    if others > cores() / 2:
        return (
            f"{head}about {others:.0f} other programs or threads want the processor as well; where "
            "they are done it is less"
        )
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
