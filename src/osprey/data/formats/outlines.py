"""Boxes round COCO's outlines: polygons, and masks in run-length encoding."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from osprey.data.formats.values import a_number
from osprey.errors import DataError
from osprey.imaging.boxes import polygon_box
from osprey.imaging.masks import rle_box, rle_counts


def outline_box(outline: Any, where: str) -> tuple[float, float, float, float] | None:
    """The box round an outline.

    Args:
        outline: COCO's ``segmentation``: ``[[x, y, x, y, ...], ...]``, or ``{"counts", "size"}``
            with runs as numbers or as text.
        where: Position for errors.

    Returns:
        x, y, width, height in pixels; None where it encloses nothing.

    Raises:
        DataError: It is neither.
    """
    try:
        if isinstance(outline, dict):
            counts, height = outline["counts"], int(outline["size"][0])
            runs = rle_counts(counts) if isinstance(counts, str) else [int(run) for run in counts]
            return rle_box(runs, height)
        parts = outline if isinstance(outline[0], list | tuple) else [outline]
        points = [point for part in parts for point in corners(part)]
    except (KeyError, IndexError, TypeError, ValueError, OverflowError):
        raise DataError(
            f"{where}: an outline is a polygon or a mask, not {outline!r:.60}"
        ) from None
    return polygon_box(points) if points else None


def corners(numbers: Any) -> list[tuple[float, float]]:
    """The corners of a polygon.

    Args:
        numbers: ``x, y, x, y, ...``, as numbers or as text.

    Returns:
        x, y of each corner.

    Raises:
        ValueError: They are no even number of finite numbers below 1e9.
    """
    found = [a_number(value) for value in numbers]
    plain = [value for value in found if value is not None and abs(value) < 1e9]
    if len(plain) != len(found) or len(plain) % 2:
        raise ValueError("no pairs of numbers")
    return list(zip(plain[::2], plain[1::2], strict=True))


def scaled_extra(extra: dict[str, Any], across: float, down: float) -> dict[str, Any]:
    """What is said of a box whose photo was resized.

    Args:
        extra: COCO's keys, of which ``segmentation``, ``keypoints`` and ``area`` are in pixels.
        across: By what x is multiplied.
        down: By what y is multiplied.

    Returns:
        A copy, without a mask in run-length encoding, which cannot be multiplied, and its area.
    """
    plain = {**without_outline(extra), **_scaled_keypoints(extra, across, down)}
    outline = extra.get("segmentation")
    if not isinstance(outline, list) or not outline:
        return plain
    try:
        parts = [corners(part) for part in (outline if isinstance(outline[0], list) else [outline])]
    except (TypeError, ValueError):
        return plain
    scaled = [[n for x, y in part for n in (x * across, y * down)] for part in parts]
    plain["segmentation"] = [[round(number, 4) for number in part] for part in scaled]
    area = a_number(extra.get("area"))
    return plain if area is None else {**plain, "area": round(area * across * down, 4)}


def _scaled_keypoints(extra: dict[str, Any], across: float, down: float) -> dict[str, Any]:
    """COCO's keypoints, ``x, y, visibility`` each; as they are where they are no such list."""
    points = extra.get("keypoints")
    if not isinstance(points, list) or None in (numbers := [a_number(n) for n in points]):
        return {}
    by = (across, down, 1)
    return {
        "keypoints": [round(n * by[at % 3], 4) for at, n in enumerate(numbers) if n is not None]
    }


def without_outline(extra: dict[str, Any]) -> dict[str, Any]:
    """What is said of a box whose outline is no longer its own.

    Args:
        extra: COCO's keys.

    Returns:
        A copy without ``segmentation`` and ``area``.
    """
    return {key: value for key, value in extra.items() if key not in ("segmentation", "area")}


def lost_outlines(before: Iterable[Any], after: Iterable[Any], why: str) -> list[str]:
    """A line about the outlines that were left out, if any were.

    Args:
        before: What was said of each box.
        after: What is now.
        why: What was done to these boxes.
    """
    lost = sum(
        "segmentation" in (old or ()) and "segmentation" not in (new or ())
        for old, new in zip(before, after, strict=True)
    )
    return [f"lost, outlines and masks of boxes that were {why}: {lost}"] if lost else []
