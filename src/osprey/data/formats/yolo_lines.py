"""The lines of YOLO's text files: a class, and the numbers of a box or of an outline."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from osprey.data.class_names import tidy_name
from osprey.data.formats.outlines import corners
from osprey.data.formats.parsing import read_lines
from osprey.data.formats.values import a_number, a_score, four_numbers
from osprey.errors import DataError
from osprey.imaging.boxes import polygon_box

_DECIMAL = re.compile(r"0,\d+|1,0+")  # 0,25 as half of Europe writes it


class Line(NamedTuple):
    """One line of a text file.

    Attributes:
        where: ``'FILE' line N``.
        label: The class, by its number or by its name.
        box: x, y of the top-left corner, width, height, as the file counts them.
        score: A detector's confidence, or NaN.
        outlined: The box was taken round a polygon.
    """

    where: str
    label: int | str
    box: tuple[float, float, float, float]
    score: float
    outlined: bool


def lines_of(file: Path, names: Mapping[int, str], *, keypoints: bool) -> Iterator[Line]:
    """Read a text file.

    Args:
        file: The file.
        names: Class names by number; a line may have the name.
        keypoints: Numbers after the box are keypoints, not an outline.

    Raises:
        DataError: One line with file and line number.
    """
    by_name = {tidy_name(name) for name in names.values()}
    for number, line in enumerate(read_lines(file), start=1):
        words = _words(line)
        if words:
            where = f"'{file}' line {number}"
            label, rest = _class(words, names, by_name, where)
            yield Line(where, label, *_box(rest, where, keypoints=keypoints))


def _words(line: str) -> list[str]:
    """What stands between blanks, commas or semicolons; a comma may stand before decimals."""
    words = line.replace(";", " ").split()
    if len(words) in (5, 6) and "." not in line and all(map(_DECIMAL.fullmatch, words[1:])):
        return [word.replace(",", ".") for word in words]
    return line.replace(",", " ").replace(";", " ").split()


def not_among(words: object, names: Mapping[int, str]) -> str:
    """What to say of a class that no name belongs to."""
    known = ", ".join(f"{n} {name}" for n, name in list(names.items())[:10])
    return f"class {str(words)[:40]} is not among the names ({known})"


def _class(
    words: list[str], names: Mapping[int, str], by_name: set[str], where: str
) -> tuple[int | str, list[str]]:
    """The number or the name of a line's class, and the words that follow it."""
    number = a_number(words[0])
    longest = max((name.count(" ") + 1 for name in by_name), default=1)
    for count in range(longest, 0 if number is None else 1, -1):  # a number is a number first
        name = tidy_name(" ".join(words[:count]))
        if name in by_name:
            return name, words[count:]
    if number is None or number < 0 or number % 1:
        raise DataError(f"{where}: {not_among(words[0], names)}")
    return int(number), words[1:]


def _box(
    words: list[str], where: str, *, keypoints: bool
) -> tuple[tuple[float, float, float, float], float, bool]:
    """The box of the numbers after the class, its score, and whether it was an outline."""
    count = len(words)
    if keypoints and count > 4:
        words = words[:4]
    elif count > 5:  # an outline; a number more is a detector's confidence
        try:
            points = corners(words[: count - count % 2])
        except ValueError:
            raise DataError(f"{where}: an outline needs pairs of numbers") from None
        score = a_score(words[-1], where) if count % 2 else math.nan
        return polygon_box(points), score, True
    if len(words) not in (4, 5):
        raise DataError(f"{where}: {count + 1} numbers where a box has 5: class x y w h")
    x, y, w, h = four_numbers(words[:4], where)
    score = a_score(words[4], where) if len(words) == 5 else math.nan
    return (x - w / 2, y - h / 2, w, h), score, False
