"""What a training takes: told before it is spent, and ended at the limit that was set."""

from __future__ import annotations

import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback, Timer

from osprey.config.groups.trainer import CostConfig
from osprey.engine.callbacks.checkpoint import between_steps
from osprey.engine.callbacks.trial_reports import TrialReporter, current_reporter
from osprey.ensembling.ema import EMA
from osprey.errors import LimitReached
from osprey.runs.folder import RunFolder
from osprey.runs.trial_mark import sharers
from osprey.system.console import in_minutes, say

_WARM_UP, _TIMED = 3, 8  # steps that are not timed, and that are
_WORTH_TELLING = 2.0  # minutes


def budget_callbacks(cost: CostConfig, run: RunFolder) -> list[Callback]:
    """The estimate, and the limit where one is set."""
    limit = cost.minutes_allowed
    return [
        Estimate(cost, current_reporter()),
        *([] if limit is None else [Limit(limit, cost, run.best, run.last)]),
    ]


class Estimate(Callback):
    """Times a few steps and says how long the rest will take, validation left out.

    Args:
        cost: What an hour costs.
        reporter: Of a trial, whose sweep is told what the whole training will take.
    """

    def __init__(self, cost: CostConfig, reporter: TrialReporter | None = None) -> None:
        self.cost = cost
        self.reporter = reporter
        self.steps = 0
        self.started = 0.0

    def on_train_batch_end(self, trainer: pl.Trainer, *args: Any, **kwargs: Any) -> None:
        """Count the step; after the last timed one say what it means."""
        self.steps += 1
        if self.steps == _WARM_UP:
            self.started = time.monotonic()
        if self.steps != _WARM_UP + _TIMED or not trainer.is_global_zero:
            return
        batches, epochs = trainer.num_training_batches, trainer.max_epochs
        if not isinstance(batches, int) or epochs is None or epochs < 0:
            return
        each = (time.monotonic() - self.started) / _TIMED / 60
        minutes = each * (batches * (epochs - trainer.current_epoch) - self.steps)
        if self.reporter is not None:
            self.reporter.timed(each * batches * epochs, _size_of_checkpoints(trainer))
        if minutes >= _WORTH_TELLING or (self.cost.usd_per_hour is not None and minutes > 0):
            usd = self.cost.usd_of(minutes, sharers())
            money = "" if usd is None else f", about {usd:.2f} USD"
            say(f"time    about {in_minutes(minutes)} of training{money}")


def _size_of_checkpoints(trainer: pl.Trainer) -> int:
    """Bytes of ``best.ckpt`` and ``last.ckpt``: weights, their mean, and what optimisers keep."""
    kept = [*trainer.lightning_module.state_dict().values()]
    callbacks: list[Callback] = trainer.callbacks  # type: ignore[attr-defined]
    if any(isinstance(callback, EMA) for callback in callbacks):
        kept *= 2
    states = [state for o in trainer.optimizers for state in o.state.values()]
    kept += [part for state in states if isinstance(state, dict) for part in state.values()]
    return 2 * sum(part.nbytes for part in kept if isinstance(part, torch.Tensor))


class Limit(Timer):
    """Ends the training at a limit, where a resume can go on; what was best by then is tested.

    Lightning's Timer keeps the time of a run that goes on. It would end an epoch in its middle as
    if it were whole; this saves ``last.ckpt`` between two steps, as a signal does.

    Args:
        minutes: Of training, those of before a resume too.
        cost: Where the limit comes from.
        best: Path of ``best.ckpt``: written here in an epoch before which there is none.
        last: Path of ``last.ckpt``.
    """

    def __init__(self, minutes: float, cost: CostConfig, best: Path, last: Path) -> None:
        super().__init__(timedelta(minutes=minutes), verbose=False)
        self.cost = cost
        self.best = best
        self.last = last

    def on_fit_start(self, trainer: pl.Trainer, *args: Any, **kwargs: Any) -> None:
        """Nothing: a run that goes on without time left ends after its first step."""

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Look at the time.

        Raises:
            LimitReached: It is over.
        """
        if not between_steps(trainer, batch_idx):
            return
        over = (self.time_remaining() or 0.0) <= 0
        if not trainer.strategy.reduce_boolean_decision(over, all=False):
            return
        if trainer.is_global_zero:
            epoch = trainer.current_epoch + 1
            say(f"limit   {self.cost.limit_setting} reached in epoch {epoch}: ends here")
        trainer.save_checkpoint(self.last)
        if not trainer.strategy.broadcast(self.best.is_file()):
            trainer.save_checkpoint(self.best)
        raise LimitReached
