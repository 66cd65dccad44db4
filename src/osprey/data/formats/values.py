"""A box's numbers, scores and names, from whatever type a file gives them in."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from osprey.errors import DataError

_NO = ("", "0", "false", "no", "none", "unspecified")


def a_number(value: Any) -> float | None:
    """A finite number, given as a number or as text; None for anything else, also True and False.

    Args:
        value: Such as ``3``, ``3.0`` or ``" 3.0 "``.
    """
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def a_flag(value: Any) -> bool:
    """Whether a mark such as ``iscrowd`` or ``difficult`` is set, of whatever type it is.

    Args:
        value: A number, a boolean, text (``"0"``, ``"false"``, ``"0.0"``), or None.
    """
    number = a_number(value)
    return bool(number) if number is not None else str(value or "").strip().lower() not in _NO


def a_side(value: Any) -> int | None:
    """A photo's width or height: 0 where it is not given, None where it is no such number."""
    number = a_number(0 if value is None or value == "" else value)
    return int(number) if number is not None and 0 <= number < 1e9 else None


class ById:
    """Entries by their id, whatever type the id has where an entry is referred to.

    ``3``, ``3.0`` and ``"3"`` name one entry, unless the file has several entries of such ids:
    then each is found by exactly its own.

    Args:
        entries: By the ids that the file gives them.
    """

    def __init__(self, entries: Mapping[Any, Any]) -> None:
        self._exact = dict(entries)
        self._loose: dict[Any, Any] = {}
        twice = set()
        for key in entries:
            number = a_number(key)
            if number is not None and self._loose.setdefault(number, key) is not key:
                twice.add(number)
        for number in twice:
            del self._loose[number]

    def key(self, value: Any) -> Any:
        """The id of the entry that ``value`` names, as the file gives it; None if there is none."""
        if isinstance(value, str | int | float):
            if value in self._exact:
                return value
            number = a_number(value)
            if number is not None:
                return self._loose.get(number)
        return None


def four_numbers(values: Any, where: str) -> tuple[float, float, float, float]:
    """A box's four numbers, given as numbers or as text.

    Args:
        values: Four values.
        where: Position for errors, such as ``'FILE' line N``.

    Returns:
        Four finite floats below 1e9.

    Raises:
        DataError: They are not four, or not such numbers.
    """
    try:
        numbers = [] if isinstance(values, str) else [float(value) for value in values]
    except (TypeError, ValueError, OverflowError):
        numbers = []
    if len(numbers) != 4 or not all(math.isfinite(v) and abs(v) < 1e9 for v in numbers):
        raise DataError(f"{where}: a box needs four numbers, not {str(values)!r:.60}")
    first, second, third, fourth = numbers
    return first, second, third, fourth


def a_score(value: Any, where: str) -> float:
    """A detector's confidence as float, 0 to 1.

    Raises:
        DataError: It is not a number from 0 to 1.
    """
    try:
        score = float(value)
    except (TypeError, ValueError, OverflowError):
        score = math.nan
    if not 0 <= score <= 1:
        raise DataError(f"{where}: a score lies between 0 and 1, not {str(value)!r:.40}")
    return score


def a_ranking(value: Any, where: str, names: Mapping[str, Any]) -> list[list[Any]] | None:
    """A classifier's output for a box, ``[[name, confidence], ...]``, or None.

    Args:
        value: Pairs of an id or a name, and a confidence; or None.
        where: Position for errors.
        names: Names by id; an unknown id is kept as the name.

    Raises:
        DataError: It is not a list of such pairs.
    """
    if value is None:
        return None
    try:
        pairs = [(str(key), confidence) for key, confidence in value]
    except (TypeError, ValueError):
        raise DataError(f"{where} are not [[name, confidence], ...]") from None
    return [[str(names.get(key, key)), a_score(confidence, where)] for key, confidence in pairs]


def typed(value: Any, kind: type, name: str, file: str) -> Any:
    """What is said of a photo, as the type that it has; None where nothing is.

    Args:
        value: As a file gives it.
        kind: bool, str, float or int.
        name: Of the field, for errors.
        file: Name of the photo, for errors.

    Raises:
        DataError: It is no such number.
    """
    if value is None or value == "" or value != value:
        return None
    if kind is bool:
        return value is True or str(value).lower() in ("true", "1")
    if kind is str:
        return str(value)
    try:
        return float(value) if kind is float else int(float(value))
    except (TypeError, ValueError, OverflowError):
        if kind is float:
            raise DataError(f"'{file}': {name} '{value}' is not a number") from None
        raise DataError(f"'{file}': {name} '{value}' is not a whole number") from None
