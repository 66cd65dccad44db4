"""Errors meant for the person at the keyboard: one line that says what is wrong and what to do."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable


class UserError(Exception):
    """Something the user can mend. Commands print its one line and exit with code 2.

    Args:
        args: The line.
        details: Lines to print below it, where one thing was tried in several ways.
    """

    def __init__(self, *args: object, details: Iterable[str] = ()) -> None:
        super().__init__(*args)
        self.details = tuple(details)


class ConfigError(UserError):
    """A setting that is unknown, of the wrong type, or makes no sense beside another."""


class OutOfMemory(ConfigError):
    """Memory did not hold the training; at another time it might."""


class DataError(UserError):
    """Photos, labels or splits that cannot be trained or tested on as they are."""


class UnreadableImage(UserError):
    """One file that cannot be decoded to pixels; it never gets a probability."""


class CheckpointError(UserError):
    """A checkpoint or weights file that is missing, damaged, foreign or refused."""


class BundleError(UserError):
    """A bundle that is missing, damaged, foreign or refused."""


class Interrupted(Exception):
    """Work was asked to stop by a signal and has left things in order.

    Args:
        code: Exit code by shell convention, 128 plus the signal's number.
    """

    def __init__(self, code: int) -> None:
        super().__init__(f"interrupted by signal {code - 128}")
        self.code = code


class LimitReached(Exception):
    """The time or money of a training is spent; its checkpoints are saved."""


class Pruned(Exception):
    """A trial of a sweep was ended early: others did better.

    Args:
        epochs: How many it had trained.
    """

    def __init__(self, epochs: int) -> None:
        super().__init__(f"ended after epoch {epochs}")
        self.epochs = epochs


class Terminated(KeyboardInterrupt):
    """Another signal than Ctrl-C asked to stop: SIGTERM, or SIGHUP of a closed terminal.

    Args:
        number: Of the signal.
    """

    def __init__(self, number: int) -> None:
        super().__init__(f"signal {number}")
        self.number = number


def exit_code_of(stop: KeyboardInterrupt) -> int:
    """The exit code by shell convention: 128 plus the signal's number."""
    return 128 + (stop.number if isinstance(stop, Terminated) else 2)


def reason_of(error: BaseException, most: int = 120) -> str:
    """The first line of another library's error, shortened, or its kind where it says nothing."""
    return (str(error).splitlines() or [type(error).__name__])[0][:most]


def nearest(word: str, valid: Iterable[str], shown: Callable[[str], object] = str) -> str:
    """Return ``"; did you mean 'x'?"`` for the valid name closest to ``word``, or ``""``.

    Args:
        word: What was typed.
        valid: The names that there are.
        shown: What is shown of the closest, such as its path.
    """
    names = {name.lower(): name for name in valid}
    found = difflib.get_close_matches(word.lower(), names, n=1, cutoff=0.6)
    return f"; did you mean '{shown(names[found[0]])}'?" if found else ""
