"""Boxes round masks in COCO's run-length encoding, without drawing the mask."""

from __future__ import annotations

from collections.abc import Sequence


def rle_counts(text: str) -> list[int]:
    """The runs of a compressed mask.

    Each run is written in groups of five bits, from the lowest, as the letters from ``0`` on; the
    sixth bit says that another group follows. From the third run on the difference to the run
    before the last is written.

    Args:
        text: COCO's ``counts`` as text.

    Returns:
        Lengths of the runs, of 0 and 1 in turn, column by column.

    Raises:
        ValueError: It is no such text.
    """
    counts: list[int] = []
    place = 0
    while place < len(text):
        value, shift, more = 0, 0, True
        while more:
            if place >= len(text):
                raise ValueError("it ends in the middle of a run")
            bits = ord(text[place]) - 48
            if not 0 <= bits < 64 or shift > 60:
                raise ValueError(f"'{text[place]}' is no part of a run")
            value |= (bits & 31) << shift
            more = bool(bits & 32)
            shift += 5
            place += 1
            if not more and bits & 16:
                value -= 1 << shift
        counts.append(value + (counts[-2] if len(counts) > 2 else 0))
    return counts


def rle_box(counts: Sequence[int], height: int) -> tuple[float, float, float, float] | None:
    """The box round the ones of a mask.

    Args:
        counts: Lengths of the runs, of 0 and 1 in turn, column by column.
        height: Of the mask in pixels.

    Returns:
        x, y, width, height in pixels; None where the mask is empty.

    Raises:
        ValueError: The runs or the height make no sense.
    """
    if height < 1 or any(run < 0 for run in counts):
        raise ValueError("a negative run, or a mask without height")
    left = top = right = bottom = -1
    at = 0
    for number, run in enumerate(counts):
        if number % 2 and run:
            first, last = at, at + run - 1
            column, end = first // height, last // height
            low, high = (first % height, last % height) if column == end else (0, height - 1)
            left, right = (column if left < 0 else left), end
            top, bottom = (low if top < 0 else min(top, low)), max(bottom, high)
        at += run
    if left < 0:
        return None
    return float(left), float(top), float(right - left + 1), float(bottom - top + 1)
