"""A box's numbers, scores and names, from whatever type a file gives them in."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from osprey.errors import DataError


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
