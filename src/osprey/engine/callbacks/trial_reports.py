"""A trial of a sweep says how it gets on, and is ended where the sweep's pruner wants it to be."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Protocol

import pytorch_lightning as pl
from pytorch_lightning.callbacks import Callback

from osprey.engine.callbacks.checkpoint import monitored
from osprey.errors import Pruned


class TrialReporter(Protocol):
    """What a sweep's worker gives to the trial that it trains."""

    def timed(self, minutes: float, size: int) -> None:
        """Take what the whole training will take, by some timed steps.

        Args:
            minutes: Validation left out.
            size: Bytes of its checkpoints.
        """

    def epoch(self, number: int, value: float) -> bool:
        """Take the monitored value of an epoch.

        Args:
            number: Of the epoch, from 1.
            value: The monitored value.

        Returns:
            Whether the trial is to end here.
        """


_reporter: ContextVar[TrialReporter | None] = ContextVar("reporter", default=None)


@contextmanager
def reporting_to(reporter: TrialReporter) -> Iterator[None]:
    """Within the block every training is a trial of this reporter's."""
    token = _reporter.set(reporter)
    try:
        yield
    finally:
        _reporter.reset(token)


def current_reporter() -> TrialReporter | None:
    """Of the trial that this process trains; None where it trains none."""
    return _reporter.get()


def trial_reports(monitor: str) -> list[Callback]:
    """The callback of a training that is a trial; none of others."""
    reporter = current_reporter()
    return [] if reporter is None else [TrialReports(reporter, monitor)]


class TrialReports(Callback):
    """Reports each epoch before the next one begins, when its checkpoints are saved.

    Args:
        reporter: Of the sweep.
        monitor: Name of the monitored metric.
    """

    def __init__(self, reporter: TrialReporter, monitor: str) -> None:
        self.reporter = reporter
        self.monitor = monitor
        self.reported = 0

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Report the epoch before; the last one is not asked about, as nothing would be saved.

        Raises:
            Pruned: The trial is to end here.
        """
        done = trainer.current_epoch
        if done == self.reported or self.monitor not in trainer.callback_metrics:
            return
        self.reported = done
        if self.reporter.epoch(done, monitored(trainer, self.monitor)):
            raise Pruned(done)
