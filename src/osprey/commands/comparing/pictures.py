"""Small pictures of the user's photos, for a page of one file."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from osprey.errors import UnreadableImage
from osprey.imaging import fitted, image_size, read_image
from osprey.imaging.cropping import shown, window
from osprey.imaging.deep import Range
from osprey.imaging.drawing import outlined
from osprey.imaging.encode import jpeg_uri
from osprey.tasks.specs import Panel

_SIDE = 240  # pixels of a picture's long side
_DRAWN = 320  # of one with boxes
_QUALITY = 82
_SHAPE = 4 / 3  # of a picture of a part
Part = tuple[float, float, float, float]  # x, y, width and height in pixels of the photo


def pictures_of(
    files: Sequence[Path],
    panels: Sequence[Panel],
    ranges: Sequence[Sequence[float] | None] | None = None,
) -> list[str]:
    """A photo as a page shows it.

    Args:
        files: Where it may lie: the first that can be read is taken.
        panels: How it is shown.
        ranges: For each place ``data.value_range`` of its run: which samples are black and white.

    Returns:
        A data URI for each panel.

    Raises:
        UnreadableImage: None of the files can be read.
    """
    places = list(zip(files, ranges or [None] * len(files), strict=True))
    for file, ends in places[:-1]:
        try:
            return _drawn(file, panels, ends)
        except UnreadableImage:
            continue
    file, ends = places[-1]
    return _drawn(file, panels, ends)


def _drawn(file: Path, panels: Sequence[Panel], ends: Sequence[float] | None) -> list[str]:
    width, height = image_size(file)
    long = _DRAWN if any(panel.outlines for panel in panels) else _SIDE
    parts = [_part(panel, width, height) for panel in panels]
    known = None if ends is None else (ends[0], ends[1])
    pixels = {
        part: _pixels(file, part, (width, height), long, known) for part in dict.fromkeys(parts)
    }
    return [_uri(pixels[part], panel, part) for panel, part in zip(panels, parts, strict=True)]


def _part(panel: Panel, width: int, height: int) -> Part:
    """What is shown of a photo."""
    if panel.around is None:
        return 0.0, 0.0, float(width), float(height)
    return window(np.array(panel.around, np.float32), width, height, _SHAPE)


def _pixels(
    file: Path, part: Part, size: tuple[int, int], long: int, value_range: Range | None
) -> NDArray[np.uint8]:
    """A part of a photo, its long side of so many pixels."""
    _, _, wide, high = part
    least = math.ceil(min(size) * long / max(wide, high))
    photo = read_image(file, min_side=least, value_range=value_range)
    return fitted(shown(photo, part, *size), long)


def _uri(small: NDArray[np.uint8], panel: Panel, part: Part) -> str:
    left, top, wide, high = part
    scales = small.shape[1] / wide, small.shape[0] / high
    for boxes, colour in panel.outlines:
        moved = boxes - np.array([left, top, left, top])
        small = outlined(small, (moved * np.tile(scales, 2)).astype(np.float32), colour, 2)
    return jpeg_uri(small, _QUALITY)
