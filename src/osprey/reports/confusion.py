"""The confusion matrix as SVG: counts and row rates, readable from 2 to 100 classes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from osprey.reports.svg import join, svg, tag
from osprey.system.console import counted

# Pixels of a cell, by the most classes; beyond the first of them cells have no text, but a finger
# still finds those of the second.
_TEXT_CELL = 46.0
_CELLS = {24: _TEXT_CELL, 40: 22.0, 10**9: 14.0}
_LETTERS = 16  # of a class name on the axes
_MORE = "\N{HORIZONTAL ELLIPSIS}"


def confusion_picture(
    matrix: NDArray[np.int64], classes: Sequence[str], *, background: bool = False
) -> Markup:
    """A heat map in its natural size; rows are true classes, columns predictions.

    Every cell with photos carries its count and its fraction of the row, as text if it fits, and
    always as a title and as data for a script.

    Args:
        matrix: int64 [C, C], or [C + 1, C + 1] with a background.
        classes: C names.
        background: Whether a last column stands for what was missed, and a last row for
            false alarms: it shows counts alone, since nobody knows of how many.

    Returns:
        An SVG element.
    """
    n = len(matrix)
    cell = next(side for most, side in _CELLS.items() if n <= most)
    names = _short(classes)
    rows, columns = ([*names, "false alarm"], [*names, "missed"]) if background else (names,) * 2
    margin = max(78.0, 22.0 + 7.4 * max(len(name) for name in [*rows, *columns]))
    totals = matrix.sum(axis=1)
    titles = [f"{name} (n={total})" for name, total in zip(classes, totals, strict=False)]
    parts = [_axis_names(rows, columns, titles, margin, cell)]
    side = n * cell
    parts.append(tag("rect", x=margin, y=margin, width=side, height=side, class_="field"))
    for i, j in np.argwhere(matrix > 0).tolist():
        what = _what(classes, i, j)
        parts.append(_cell(matrix, what, i, j, margin, cell, i == len(classes)))
    size = margin + side + 2
    label = f"Confusion matrix of {counted(len(classes), 'class')}, rows are the truth"
    return svg(size, size, label, *parts, natural=True)


def _what(classes: Sequence[str], i: int, j: int) -> str:
    """What a cell counts, in words."""
    if i == len(classes):
        return f"false alarm of {classes[j]}"
    return f"{classes[i]} missed" if j == len(classes) else f"{classes[i]} answered as {classes[j]}"


def _short(classes: Sequence[str]) -> list[str]:
    """Names of at most 16 letters; those that begin alike are cut at the front, to differ."""
    flat = [" ".join(name.split()) or "(blank)" for name in classes]
    long = [name for name in flat if len(name) > _LETTERS]
    starts = Counter(name[: _LETTERS - 1] for name in long)
    alike = {
        start: _shared([name for name in long if name.startswith(start)])
        for start, count in starts.items()
        if count > 1
    }
    names = []
    for name in flat:
        shared = alike.get(name[: _LETTERS - 1], 0) if len(name) > _LETTERS else 0
        # From the start of the word in which they differ, unless that is far ahead.
        word = name.rfind(" ", 0, shared) + 1
        begin = word if shared - word <= _LETTERS // 2 else shared - _LETTERS // 4
        left = f"{_MORE}{name[begin:]}" if begin else name
        names.append(left if len(left) <= _LETTERS else f"{left[: _LETTERS - 1]}{_MORE}")
    return names


def _shared(names: Sequence[str]) -> int:
    """How many letters all names begin with."""
    first, last = min(names), max(names)  # of sorted names these two differ the earliest
    pairs = enumerate(zip(first, last, strict=False))
    return next((i for i, (a, b) in pairs if a != b), min(len(first), len(last)))


def _axis_names(
    rows: Sequence[str], columns: Sequence[str], titles: Sequence[str], margin: float, cell: float
) -> Markup:
    parts = [
        tag("text", "true \N{DOWNWARDS ARROW}", x=4.0, y=margin - 6, class_="start name"),
        tag("text", "answer \N{RIGHTWARDS ARROW}", x=margin - 8, y=14.0, class_="end name"),
    ]
    for i, (row, column) in enumerate(zip(rows, columns, strict=True)):
        at = margin + (i + 0.5) * cell
        full = [tag("title", titles[i])] if i < len(titles) else []
        place = {"x": margin - 6, "y": at + 4}
        parts.append(tag("text", row, *full, class_="end", data_name=i, **place))
        turn = f"translate({at + 4:.1f} {margin - 6:.1f}) rotate(-90)"
        parts.append(tag("text", column, *full, transform=turn, class_="start", data_name=i))
    return join(parts)


def _cell(
    matrix: NDArray[np.int64],
    what: str,
    i: int,
    j: int,
    margin: float,
    cell: float,
    alarms: bool,
) -> Markup:
    """A square with its texts; the page's script rewrites them as 2_matrix.js says."""
    count, total = int(matrix[i, j]), int(matrix[i].sum())
    rate = count / total
    strength = {"rate": _strength(rate), "count": _strength(count / int(matrix.max()))}
    x, y = margin + j * cell, margin + i * cell
    of = counted(total, "false alarm") if alarms else str(total)
    said = f"{what}: {count} of {of} ({rate:.1%})"
    style = f"--rate:{strength['rate']:.2f};--count:{strength['count']:.2f}"
    place = {"x": x + 0.5, "y": y + 0.5, "width": cell - 1, "height": cell - 1}
    kind = "hit" if i == j else "miss"
    parts = [tag("rect", tag("title", said), class_=kind, style=style, data_said=said, **place)]
    texts = {"count": str(count), "rate": str(count) if alarms else f"{100 * rate:.0f}%"}
    for name, text in texts.items() if cell == _TEXT_CELL else ():
        depth = " over" if strength[name] > 0.78 else " half" if strength[name] > 0.6 else ""
        at = {"x": x + cell / 2, "y": y + cell / 2 + 4}
        parts.append(tag("text", text, class_=f"mid {name}{depth}", **at))
    return tag("g", *parts, data_at=i * len(matrix) + j, data_what=what)


def _strength(share: float) -> float:
    """Opacity of a cell: one photo among hundreds must still be seen."""
    return float(0.12 + 0.88 * share**0.7)
