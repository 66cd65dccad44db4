"""Which trial of which sweep a run is, kept in its folder from the moment that it is there."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import asdict, dataclass
from pathlib import Path

from osprey.runs.folder import RunFolder

MARK = "trial.json"


@dataclass(frozen=True)
class TrialMark:
    """A training of a trial.

    Attributes:
        sweep: The sweep's folder.
        number: The trial's, from 0.
        repeat: Which of its seeds, from 0.
    """

    sweep: str
    number: int
    repeat: int


@dataclass
class Begun:
    """A training of a trial in this process.

    Attributes:
        mark: What it is.
        sharers: Trainings that the machine has at the same time.
        bare: It gets no bundle, since only the best trial does.
        run: Its folder, once it is there.
    """

    mark: TrialMark
    sharers: int = 1
    bare: bool = False
    run: RunFolder | None = None


_current: ContextVar[Begun | None] = ContextVar("trial", default=None)


@contextmanager
def as_trial(mark: TrialMark, sharers: int = 1, *, bare: bool = False) -> Iterator[Begun]:
    """A run that begins within the block is this trial, one of so many at the same time."""
    begun = Begun(mark, sharers, bare)
    token = _current.set(begun)
    try:
        yield begun
    finally:
        _current.reset(token)


def sharers() -> int:
    """How many trainings of the same sweep share the machine, and so what an hour of it costs."""
    begun = _current.get()
    return 1 if begun is None else begun.sharers


def mark_trial(run: RunFolder) -> None:
    """Write down of which trial a new run is, if of any."""
    begun = _current.get()
    if begun is not None:
        run.write_json(MARK, asdict(begun.mark))
        begun.run = run


def runs_of_sweep(sweep: str, runs: Path) -> dict[tuple[int, int], RunFolder]:
    """The newest run of each training of a sweep, by number and repeat.

    Args:
        sweep: As in `TrialMark`.
        runs: Folder of all runs.
    """
    found: dict[tuple[int, int], RunFolder] = {}
    for file in sorted(runs.glob(f"*/*/{MARK}"), key=lambda path: path.parent.name):
        try:
            mark = TrialMark(**json.loads(file.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):  # another's, or vanished meanwhile
            continue
        if mark.sweep == sweep:
            found[mark.number, mark.repeat] = RunFolder(file.parent)
    return found


def is_bare() -> bool:
    """Whether what is trained here is a trial that gets no bundle."""
    begun = _current.get()
    return begun is not None and begun.bare
