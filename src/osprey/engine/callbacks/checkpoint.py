"""When a run is saved: after every epoch, at a new best, and when a signal asks it to stop."""

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

from osprey.errors import ConfigError, Interrupted, UserError
from osprey.models.checkpoint import read_checkpoint, write_checkpoint
from osprey.system.console import warn


class SafeCheckpointIO(TorchCheckpointIO):
    """Checkpoints renamed into place when whole, and opened without running code in them."""

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | os.PathLike[str], storage_options: Any = None
    ) -> None:
        """Write tensors and plain data to a temporary name beside ``path``, then rename.

        What a module of the user's own keeps beside them, such as its hyper-parameters' networks
        and factories, is made again from the configuration, and left out.
        """
        write_checkpoint(plain_part(checkpoint), Path(path))

    def load_checkpoint(
        self,
        path: str | os.PathLike[str],
        map_location: Callable[..., Any] | None = None,
        weights_only: bool | None = None,
    ) -> dict[str, Any]:
        """Open tensors and plain data; anything else is refused."""
        return read_checkpoint(Path(path))


_PLAIN = (torch.Tensor, str, int, float, bool, type(None), torch.dtype, torch.device, torch.Size)
_DROP = object()


def plain_part(value: Any) -> Any:
    """Tensors and plain data, also within dictionaries and lists; the rest is dropped."""
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
    """The logged figure that a run is judged by.

    Raises:
        ConfigError: Nobody logs it.
        UserError: It is nan.
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
    """``last.ckpt`` after every epoch, ``best.ckpt`` after the best by validation.

    Lightning's ModelCheckpoint saves the last only together with a new best, and acts on paths it
    finds in a checkpoint; this one keeps a single number there, so a run folder can be moved and a
    stranger's cannot name files to remove. ``best_model_path`` is where everybody looks for it.
    Lightning calls checkpoint callbacks after all others.
    """

    def __init__(self, best: Path, last: Path, monitor: str, mode: str = "max") -> None:
        """Args: the two files, the logged figure that chooses the best, and which way it does."""
        super().__init__(best.parent, best.stem, monitor=monitor, mode=mode)
        self.sign = 1.0 if mode == "max" else -1.0
        self.best = best
        self.last = last
        self.score = float("-inf")

    @property
    def state_key(self) -> str:
        """A name that settings do not change: runs go on with others."""
        return "BestAndLast"

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """The run folder is there already."""
        self._point()

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Save; every process takes part, as sharded models need."""
        score = self.sign * monitored(trainer, str(self.monitor))
        better = score > self.score
        self.score = max(self.score, score)
        trainer.save_checkpoint(self.last)
        if better:
            trainer.save_checkpoint(self.best)
            self.best_model_score = torch.tensor(self.sign * score)
        self._point()

    def _point(self) -> None:
        for name, file in (("best_model_path", self.best), ("last_model_path", self.last)):
            setattr(self, name, str(file) if file.is_file() else "")

    def on_train_batch_end(self, *_: Any, **__: Any) -> None:
        """Never within an epoch: `SaveOnSignal` does, where it is asked to."""

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Only once the epoch is over and everything has been logged."""

    def on_exception(self, *_: Any, **__: Any) -> None:
        """What is half done is not saved."""

    def state_dict(self) -> dict[str, Any]:
        """The best score so far."""
        return {"score": self.score}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Only a better epoch than the run has seen may replace ``best.ckpt``."""
        self.score = float(state_dict["score"])


class SaveOnSignal(Callback):
    """Ctrl-C and SIGTERM: finish the step, save ``last.ckpt``, leave; a second leaves at once."""

    _EVERY = 10  # steps between looks in a run of several processes, which must agree

    def __init__(self, last: Path) -> None:
        self.last = last
        self.received = 0
        self.previous: dict[int, Any] = {}

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Take over both signals for as long as training runs."""
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
        """Save between two optimiser steps, so that nothing is half done."""
        done = batch_idx + 1
        last_of_epoch = done >= trainer.num_training_batches
        if last_of_epoch or done % trainer.accumulate_grad_batches:
            return  # the end of the epoch saves by itself
        if trainer.world_size > 1 and done % self._EVERY:
            return
        if self._agreed(trainer):
            trainer.save_checkpoint(self.last)
            raise Interrupted(128 + (self.received or signal.SIGTERM))

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """A signal that came during validation: the checkpoint callback saves, then we leave."""
        if self._agreed(trainer):
            trainer.should_stop = True

    def _agreed(self, trainer: pl.Trainer) -> bool:
        decision: bool = trainer.strategy.reduce_boolean_decision(bool(self.received), all=False)
        return decision

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Give the signals back; leave if one came at an epoch's end with more epochs to go."""
        self.restore()
        if self.received and trainer.current_epoch < (trainer.max_epochs or 0):
            raise Interrupted(128 + self.received)

    def on_exception(self, trainer: pl.Trainer, pl_module: Any, exception: BaseException) -> None:
        """Give the signals back."""
        self.restore()

    def restore(self) -> None:
        """Put the former handlers back."""
        for number, handler in self.previous.items():
            signal.signal(number, handler)
        self.previous.clear()
