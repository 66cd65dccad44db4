"""Checkpoints after every epoch, at a new best, and when a signal asks a run to stop."""

from __future__ import annotations

import math
import os
import signal
from collections import OrderedDict
from collections.abc import Callable, Mapping
from pathlib import Path
from types import FrameType
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback, ModelCheckpoint
from pytorch_lightning.plugins.io import TorchCheckpointIO

from osprey.engine.callbacks.looks import LooksAtPhotos
from osprey.engine.callbacks.rules import Choice
from osprey.errors import ConfigError, Interrupted, UserError
from osprey.models.checkpoint import read_checkpoint, write_checkpoint
from osprey.system.console import warn
from osprey.tasks.plugin import MetricSpec
from osprey.tasks.validated import Validated


class SafeCheckpointIO(TorchCheckpointIO):
    """Writes checkpoints atomically, and reads them without running code in them."""

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | os.PathLike[str], storage_options: Any = None
    ) -> None:
        """Write tensors and plain data (`plain_part`) to a temporary file, then rename it."""
        write_checkpoint(plain_part(checkpoint), Path(path))

    def load_checkpoint(
        self,
        path: str | os.PathLike[str],
        map_location: Callable[..., Any] | None = None,
        weights_only: bool | None = None,
    ) -> dict[str, Any]:
        """Read tensors and plain data; anything else is a CheckpointError."""
        return read_checkpoint(Path(path))


_PLAIN = (torch.Tensor, str, int, float, bool, type(None), torch.dtype, torch.device, torch.Size)
_DROP = object()


def plain_part(value: Any) -> Any:
    """Tensors and plain data, also within dictionaries and lists; everything else is dropped."""
    found = _plain(value)
    return {} if found is _DROP else found


def _plain(value: Any) -> Any:
    if isinstance(value, _PLAIN):
        plain_kinds = (str, int, float, bool)
        odd = isinstance(value, plain_kinds) and type(value) not in plain_kinds
        return _DROP if odd else value
    if isinstance(value, Mapping):
        parts = {key: _plain(part) for key, part in value.items() if isinstance(key, str | int)}
        kept = {key: part for key, part in parts.items() if part is not _DROP}
        return OrderedDict(kept) if type(value) is OrderedDict else kept
    if isinstance(value, list | tuple):
        items = [item for part in value if (item := _plain(part)) is not _DROP]
        return items if isinstance(value, list) else tuple(items)
    return _DROP


def monitored(trainer: pl.Trainer, name: str) -> float:
    """The last logged value of the monitored metric.

    Raises:
        ConfigError: It is not logged.
        UserError: It is NaN.
    """
    if name not in trainer.callback_metrics:
        logged = ", ".join(sorted(trainer.callback_metrics))
        raise ConfigError(f"monitor={name} is not logged; logged are: {logged}")
    value = float(trainer.callback_metrics[name])
    if math.isnan(value):
        raise UserError(
            f"monitor={name} became nan in epoch {trainer.current_epoch + 1}: lower optimizer.lr, "
            "or look at what the module logs"
        )
    return value


class BestAndLast(ModelCheckpoint):
    """``last.ckpt`` after every epoch, ``best.ckpt`` after the one that a rule chooses.

    Unlike Lightning's ModelCheckpoint it always saves the last, and stores no paths in checkpoints,
    by which an untrusted one could have files removed.

    Args:
        best: Path of ``best.ckpt``.
        last: Path of ``last.ckpt``.
        metric: The monitored metric.
        rule: One of `Choice`.
        looks: An epoch in which it finds one answer for all photos is never chosen.
    """

    def __init__(
        self,
        best: Path,
        last: Path,
        metric: MetricSpec,
        rule: str = "auto",
        looks: LooksAtPhotos | None = None,
    ) -> None:
        super().__init__(best.parent, best.stem, monitor=metric.logged, mode=metric.mode)
        self.metric = metric
        self.best = best
        self.last = last
        self.choice = Choice(rule)
        self.looks = looks
        self.told = False  # that a standard error is not known

    @property
    def any_sound(self) -> bool:
        """Whether ``best.ckpt`` is of an epoch worth keeping."""
        return self.choice.epoch > 0

    @property
    def state_key(self) -> str:
        """Independent of settings, which a resumed run may change."""
        return "BestAndLast"

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Keep the run folder; only set the paths of existing checkpoints."""
        self._point()

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Save; every process takes part, as sharded models require."""
        value = monitored(trainer, self.metric.logged)
        sound = self.looks is None or not self.looks.same
        answers = getattr(pl_module, "validated", None)
        chosen = sound and self.choice.takes(
            trainer.current_epoch + 1,
            self.metric.rank(value),
            self.metric.key,
            answers if isinstance(answers, Validated) else Validated(),
        )
        if self.choice.rule == "within_error" and self.choice.error is None and not self.told:
            self.told = True
            warn(f"how sure {self.metric.logged} is, is not known: best.ckpt is of the highest")
        trainer.save_checkpoint(self.last)
        # One is needed, whatever it is worth; other processes may be on machines without it.
        if chosen or not trainer.strategy.broadcast(self.best.is_file()):
            trainer.save_checkpoint(self.best)
            self.best_model_score = torch.tensor(value)
        self._point()

    def _point(self) -> None:
        for name, file in (("best_model_path", self.best), ("last_model_path", self.last)):
            setattr(self, name, str(file) if file.is_file() else "")

    def on_train_batch_end(self, *_: Any, **__: Any) -> None:
        """Never save within an epoch: `SaveOnSignal` does."""

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Never save here: only after the epoch, when everything has been logged."""

    def on_exception(self, *_: Any, **__: Any) -> None:
        """Never save after an exception."""

    def state_dict(self) -> dict[str, Any]:
        """What the rule has seen so far."""
        choice = self.choice
        seen = {"score": choice.highest, "error": choice.error, "loss": choice.loss}
        return {**seen, "epoch": choice.epoch}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore it, so that only an epoch that the rule prefers replaces ``best.ckpt``."""
        choice = self.choice
        choice.highest = float(state_dict["score"])
        choice.error = state_dict.get("error")  # older checkpoints hold the score alone
        choice.loss = float(state_dict.get("loss", math.inf))
        choice.epoch = int(state_dict.get("epoch", choice.highest > -math.inf))


_EVERY = 10  # steps between looks in a run of several processes, which must agree


def between_steps(trainer: pl.Trainer, batch_idx: int) -> bool:
    """Whether a checkpoint may be saved here and the training stopped.

    That is between two optimiser steps; the end of an epoch saves by itself.

    Args:
        trainer: Of the run.
        batch_idx: Of the batch that has just ended.
    """
    done = batch_idx + 1
    if done >= trainer.num_training_batches or done % trainer.accumulate_grad_batches:
        return False
    return trainer.world_size == 1 or done % _EVERY == 0


class SaveOnSignal(Callback):
    """On SIGINT or SIGTERM: finish the step, save ``last.ckpt``, stop; a second exits at once."""

    def __init__(self, last: Path) -> None:
        self.last = last
        self.received = 0
        self.previous: dict[int, Any] = {}

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Install the handlers of both signals for the duration of training."""
        for number in (signal.SIGINT, signal.SIGTERM):
            self.previous[number] = signal.signal(number, self._note)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.received:
            os._exit(128 + number)
        self.received = number
        warn("stopping after this step, to save last.ckpt ...")

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Save and stop (`Interrupted`) between two optimiser steps."""
        if between_steps(trainer, batch_idx) and self._agreed(trainer):
            trainer.save_checkpoint(self.last)
            raise Interrupted(128 + (self.received or signal.SIGTERM))

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Stop after a signal during validation; the checkpoint callback saves."""
        if self._agreed(trainer):
            trainer.should_stop = True

    def _agreed(self, trainer: pl.Trainer) -> bool:
        decision: bool = trainer.strategy.reduce_boolean_decision(bool(self.received), all=False)
        return decision

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Restore the handlers; stop (`Interrupted`) if a signal came with more epochs to go."""
        self.restore()
        if self.received and trainer.current_epoch < (trainer.max_epochs or 0):
            raise Interrupted(128 + self.received)

    def on_exception(self, trainer: pl.Trainer, pl_module: Any, exception: BaseException) -> None:
        """Restore the handlers."""
        self.restore()

    def restore(self) -> None:
        """Restore the former signal handlers."""
        for number, handler in self.previous.items():
            signal.signal(number, handler)
        self.previous.clear()
