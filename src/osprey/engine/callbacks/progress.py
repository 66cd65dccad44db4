"""Callbacks: metrics table, progress line, early stopping."""

from __future__ import annotations

import csv
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback, EarlyStopping
from tqdm import tqdm

from osprey.data.datamodule import DataModule
from osprey.engine.callbacks.checkpoint import BestAndLast, monitored
from osprey.engine.callbacks.data_wait import NAME as DATA_WAIT
from osprey.engine.callbacks.data_wait import DataWait, advice, others_load
from osprey.engine.callbacks.looks import LooksAtPhotos
from osprey.models.checkpoint import read_checkpoint, write_checkpoint
from osprey.system.console import say
from osprey.system.files import write_csv
from osprey.system.memory import free_memory
from osprey.tasks.plugin import MetricSpec


class MetricsTable(Callback):
    """``metrics.csv``: one row per epoch; a resumed run appends to its own rows."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.started = time.monotonic()

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Start the epoch's clock."""
        self.started = time.monotonic()

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Rewrite the table with this epoch's row; rows of repeated epochs are dropped."""
        if not trainer.is_global_zero:
            return
        row = {
            "epoch": str(trainer.current_epoch + 1),
            "step": str(trainer.global_step),
            # Of the head where rates are by layer: as optimizer.lr names it.
            "lr": f"{max(group['lr'] for group in trainer.optimizers[0].param_groups):.6g}",
            "seconds": f"{time.monotonic() - self.started:.1f}",
        }
        for name, value in sorted(trainer.callback_metrics.items()):
            row[name] = f"{float(value):.9g}"
        rows = [r for r in self.rows() if int(r["epoch"]) <= trainer.current_epoch]
        write_csv(self.path, list(row), ([r.get(name, "") for name in row] for r in [*rows, row]))

    def rows(self) -> list[dict[str, str]]:
        """The rows written so far."""
        if not self.path.is_file():
            return []
        with self.path.open(newline="", encoding="utf-8") as file:
            return list(csv.DictReader(file))


def samples_in(batch: Any) -> int:
    """Number of samples in a batch: the length of the first tensor in it."""
    if isinstance(batch, torch.Tensor):
        return len(batch)
    parts = batch.values() if isinstance(batch, Mapping) else batch
    if not isinstance(parts, Iterable) or isinstance(parts, str):
        return 0
    return next((n for part in parts if (n := samples_in(part))), 0)


def _loss(values: Mapping[str, float]) -> str:
    """The training loss, where the module logs one by a usual name."""
    names = ("train/loss", "train_loss", "loss")
    return next((f"  loss {values[name]:.4f}" for name in names if name in values), "")


class Progress(Callback):
    """A progress bar during an epoch, in a terminal, and one line after it."""

    def __init__(
        self, wait: DataWait, looks: LooksAtPhotos, metrics: Sequence[MetricSpec], *, bar: bool
    ) -> None:
        self.wait, self.looks, self.advised = wait, looks, False
        self.metrics = metrics
        self.bar_wanted = bar and sys.stderr.isatty()
        self.bar: Any = None
        self.images = 0
        self.started = self.seconds = 0.0
        self.best = float("-inf")

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Open the bar: a run resumed within an epoch gets no ``on_train_epoch_start``."""
        self.on_train_epoch_start(trainer, pl_module)

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Open the bar."""
        self.images, self.started = 0, time.monotonic()
        if self.bar is not None:
            return
        if self.bar_wanted and trainer.is_global_zero:
            title = f"epoch {trainer.current_epoch + 1}/{trainer.max_epochs}"
            self.bar = tqdm(total=int(trainer.num_training_batches), desc=title, leave=False)

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Count the photos."""
        self.images += samples_in(batch) * trainer.world_size
        self.seconds = time.monotonic() - self.started
        if self.bar is not None:
            rate, wait = self.images / max(self.seconds, 1e-9), self.wait.share
            self.bar.set_postfix_str(f"{rate:.0f} images/s, data wait {wait:.0%}", refresh=False)
            self.bar.update(1)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Print the epoch's metrics."""
        if self.bar is not None:
            self.bar.close()
            self.bar = None
        values = {k: float(v) for k, v in trainer.callback_metrics.items()}
        first = self.metrics[0]
        score = first.rank(monitored(trainer, first.logged))
        better = score > self.best and not self.looks.same
        self.best = score if better else self.best
        shown = "  ".join(f"{m.name} {values[m.logged]:{m.format}}" for m in self._logged(values))
        if trainer.is_global_zero:
            say(
                f"epoch {trainer.current_epoch + 1:>3}/{trainer.max_epochs}"
                f"{_loss(values)}"
                f"  val: {shown}"
                f"  {self.images / max(self.seconds, 1e-9):.0f} images/s"
                f"  data wait {values.get(DATA_WAIT, 0.0):.0%}"
                + ("  best" if better else "")
                + ("  the same answer for every photo" if self.looks.same else "")
            )
            self._advise(trainer, values.get(DATA_WAIT, 0.0))

    def _logged(self, values: Mapping[str, float]) -> list[MetricSpec]:
        """The first two metrics that the module logs."""
        return [metric for metric in self.metrics if metric.logged in values][:2]

    def _advise(self, trainer: pl.Trainer, share: float) -> None:
        """Once per run, print what would shorten data loading."""
        data = cast(DataModule, cast(Any, trainer).datamodule)
        if self.advised or not isinstance(data, DataModule):
            return
        photos = int((data.manifest.table["split"] == "train").sum())
        side = data.augment[1] if data.augment else data.preprocess.decode_side
        others = others_load(data.config.num_workers, torch.get_num_threads())
        line = advice(share, data.config, photos, side, free_memory(), others)
        self.advised = line is not None
        if line:
            say(line)

    def state_dict(self) -> dict[str, Any]:
        """The best score so far, for a resumed run."""
        return {"best": self.best}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore the best score."""
        self.best = state_dict["best"]


class ExplainedEarlyStopping(EarlyStopping):
    """Early stopping that prints its reason."""

    def __init__(self, metric: MetricSpec, **more: Any) -> None:
        super().__init__(metric.logged, mode=metric.mode, check_on_train_epoch_end=True, **more)
        self.metric = metric

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore the count, with the current patience; a run that had stopped starts from 0."""
        today = self.patience
        super().load_state_dict(state_dict)
        self.patience, self.stopped_epoch = today, 0
        if self.wait_count >= self.patience:
            self.wait_count = 0

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Print when and why, if early stopping ended the run."""
        if self.stopped_epoch and trainer.is_global_zero:
            best = self.stopped_epoch + 1 - self.wait_count
            passed = "risen above" if self.metric.higher_is_better else "fallen below"
            say(
                f"stopped early after epoch {self.stopped_epoch + 1}: validation "
                f"{self.metric.name} has not {passed} {float(self.best_score):.3f} "
                f"(epoch {best}) for {self.wait_count} epochs (callbacks.early_stopping)"
            )


def raise_best(last: Path, score: float) -> None:
    """Raise the best score stored in a checkpoint, in place: a later epoch must beat it.

    Args:
        last: The checkpoint ``last.ckpt``.
        score: The monitored metric; higher is better.
    """
    content = read_checkpoint(last)
    for watcher, key in ((BestAndLast, "score"), (Progress, "best")):
        seen = content["callbacks"][watcher.__qualname__]
        seen[key] = max(seen[key], score)
    content["callbacks"][BestAndLast.__qualname__]["error"] = None
    write_checkpoint(content, last)
