"""What a sweep and its workers say to each other."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import Any

from osprey.runs.trial_mark import TrialMark

# Set in a worker that was asked to end: what is being imported then may raise anything.
asked_to_end = Event()
PRUNED = "pruned.json"  # in the folder of a run that ended early


@dataclass(frozen=True)
class Job:
    """One training.

    Attributes:
        mark: Which trial of which sweep.
        argv: The command line of ``osprey train``.
        log: File for what it prints.
        before: Run of this training that another process began; None begins one.
        sharers: Trainings that the machine has at the same time.
        plugins: Packages that the run may name.
        keep_pruned: Keep the best checkpoint of one that ends early.
        speed: Measure how many photos a second it answers.
        bare: Without a bundle, which only the best trial gets.
        present_only: Only make the bundle of the finished run ``before``, and its report.
        report: Whether ``present_only`` makes a report.
    """

    mark: TrialMark
    argv: tuple[str, ...]
    log: Path
    before: Path | None = None
    sharers: int = 1
    plugins: tuple[str, ...] = ()
    keep_pruned: bool = False
    speed: bool = False
    bare: bool = False
    present_only: bool = False
    report: bool = True


@dataclass(frozen=True)
class Epoch:
    """What a worker reports after an epoch; it waits for the answer, whether to end here."""

    number: int
    value: float


@dataclass(frozen=True)
class Timed:
    """What a worker reports once it has timed some steps.

    Attributes:
        minutes: The whole training, validation left out.
        size: Bytes of its checkpoints.
    """

    minutes: float
    size: int


@dataclass(frozen=True)
class Done:
    """How a training went.

    Attributes:
        record: Plain data, with ``run``, ``value`` and ``metric``; or ``failure``; or ``pruned``.
        healthy: Whether the worker can be used for another.
        system: The machine is to blame, such as a full disk: another trial would fail likewise.
        stopped: The worker was asked to end; its run can go on.
        run: The folder of a run that was stopped, where it has one.
    """

    record: dict[str, Any] = field(default_factory=dict)
    healthy: bool = True
    system: bool = False
    stopped: bool = False
    run: Path | None = None


News = Epoch | Timed | Done
