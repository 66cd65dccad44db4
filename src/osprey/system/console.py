"""Lines on the terminal."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any


def say(line: str = "") -> None:
    """Print a line on standard output at once, also into a pipe."""
    print(line, flush=True)


def warn(line: str) -> None:
    """Print a line on standard error at once."""
    print(line, file=sys.stderr, flush=True)


_WHOLE = 20  # classes that are all shown
_EXTREMES = 8  # of more, the worst and the best


def some_of(rows: Sequence[Mapping[str, Any]], key: str) -> list[Mapping[str, Any] | str]:
    """All rows, or of many classes the worst and the best by ``key`` with a line between them."""
    if len(rows) <= _WHOLE:
        return list(rows)
    ranked = sorted(rows, key=lambda row: (row[key] or 0.0, row["label"]))
    between = f"... {len(rows) - 2 * _EXTREMES} classes between the worst and the best ..."
    return [*ranked[:_EXTREMES], between, *ranked[-_EXTREMES:]]
