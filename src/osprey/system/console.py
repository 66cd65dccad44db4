"""Lines on the terminal."""

from __future__ import annotations

import os
import re
import sys
import textwrap
from collections.abc import Callable, Mapping, Sequence
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
        print(fitted(line, columns_of(stream)), file=stream, flush=True)
    except UnicodeEncodeError:  # a name that the terminal has no letters for
        encoding = stream.encoding or "ascii"
        _print(line.encode(encoding, "backslashreplace").decode(encoding), stream)
    except BrokenPipeError:
        silence(stream)


_LABEL = " " * 8  # as wide as what stands before our lines, such as "data    "
_COMMAND = re.compile(r"(?:osprey|wandb|pip) [a-z]+ .*")


def columns_of(stream: TextIO) -> int | None:
    """How wide a terminal is; None of a file or a pipe, whose lines stay whole."""
    try:
        return os.get_terminal_size(stream.fileno()).columns if stream.isatty() else None
    except (OSError, ValueError):
        return None


def fitted(line: str, columns: int | None) -> str:
    """Break a line between words where a terminal is too narrow for it.

    Args:
        line: A line of ours; what is indented, and commands to copy, stay in one piece.
        columns: Of the terminal; None: as wide as needed.
    """
    if columns is None or columns < 20 or len(line) <= columns or line.startswith(" "):
        return line  # 0 is what a terminal says that knows no width
    if "\n" in line:
        return "\n".join(fitted(part, columns) for part in line.split("\n"))
    command = _COMMAND.search(line)
    before = line[: command.start()] if command else line
    parts = textwrap.wrap(
        before, columns, subsequent_indent=_LABEL, break_long_words=False, break_on_hyphens=False
    )
    return "\n".join([*parts, *([_LABEL + command[0]] if command else [])])


def names_fitted(names: Sequence[str], beside: int) -> dict[str, str]:
    """Names for the first column of a table, as long as a narrow terminal has room for.

    Args:
        names: Of the rows.
        beside: Width of the other columns.

    Returns:
        Each name, shortened where it must be, padded to one width of at least 5.
    """
    columns = columns_of(sys.stdout)
    longest = max([5, *map(len, names)])
    width = longest if columns is None else max(5, min(longest, columns - beside))
    cut = "\N{HORIZONTAL ELLIPSIS}"
    short = {name: name if len(name) <= width else name[: width - 1] + cut for name in names}
    return {name: f"{shown:<{width}}" for name, shown in short.items()}


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


_WHOLE = 20  # rows that are all shown
_EXTREMES = 8  # of more, the lowest and the highest


def say_classes(
    rows: Sequence[Mapping[str, Any]],
    key: str,
    width: int,
    header: str,
    cells: Callable[[Mapping[str, Any]], str],
) -> None:
    """Print a line a class: its name, its ``n`` and more; of many classes the extremes.

    Args:
        rows: With ``label`` and ``n`` each.
        key: Of the number that they are ranked by.
        width: What the other columns take of a line.
        header: Of those columns.
        cells: Of a row, below that header.
    """
    names = names_fitted(["class", *(row["label"] for row in rows)], width)
    say(f"{names['class']}      n  {header}")
    for row in some_of(rows, key):
        if isinstance(row, str):
            say(row)
        else:
            say(f"{names[row['label']]} {row['n']:>6}  {cells(row)}")


def some_of(
    rows: Sequence[Mapping[str, Any]],
    key: str,
    left: str = "classes between the worst and the best",
) -> list[Mapping[str, Any] | str]:
    """All rows, or of many the lowest and the highest by ``key`` with a line between them.

    Args:
        rows: With a ``label`` each.
        key: Of the number that they are ranked by.
        left: What the line calls the others.
    """
    if len(rows) <= _WHOLE:
        return list(rows)
    ranked = sorted(rows, key=lambda row: (row[key] or 0.0, row["label"]))
    between = f"... {len(rows) - 2 * _EXTREMES} {left} ..."
    return [*ranked[:_EXTREMES], between, *ranked[-_EXTREMES:]]
