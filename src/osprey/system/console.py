"""Lines on the terminal."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, TextIO


def say(line: str = "") -> None:
    """Print a line on standard output at once, also into a pipe."""
    _print(line, sys.stdout)


def warn(line: str) -> None:
    """Print a line on standard error at once."""
    _print(line, sys.stderr)


def _print(line: str, stream: TextIO) -> None:
    """Print a line; a reader that has had enough, such as ``head``, ends no work."""
    try:
        print(line, file=stream, flush=True)
    except UnicodeEncodeError:  # a name that the terminal has no letters for
        encoding = stream.encoding or "ascii"
        _print(line.encode(encoding, "backslashreplace").decode(encoding), stream)
    except BrokenPipeError:
        silence(stream)


def silence(stream: TextIO) -> None:
    """Let what is still written to a closed pipe go nowhere."""
    with suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)


def counted(count: int, noun: str) -> str:
    """A number with its noun: ``1 file``, ``2 files``, ``2 boxes``."""
    ending = "es" if noun.endswith(("s", "x")) else "s"
    return f"{count} {noun}" if count == 1 else f"{count} {noun}{ending}"


def in_minutes(minutes: float) -> str:
    """A duration: ``under a minute``, ``1.0 minutes``, ``12.5 minutes``."""
    return "under a minute" if minutes < 1 else f"{minutes:.1f} minutes"


_WHOLE = 20  # classes that are all shown
_EXTREMES = 8  # of more, the worst and the best


def some_of(rows: Sequence[Mapping[str, Any]], key: str) -> list[Mapping[str, Any] | str]:
    """All rows, or of many classes the worst and the best by ``key`` with a line between them."""
    if len(rows) <= _WHOLE:
        return list(rows)
    ranked = sorted(rows, key=lambda row: (row[key] or 0.0, row["label"]))
    between = f"... {len(rows) - 2 * _EXTREMES} classes between the worst and the best ..."
    return [*ranked[:_EXTREMES], between, *ranked[-_EXTREMES:]]
