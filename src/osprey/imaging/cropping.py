"""A subject cut out of its photo, or shown with what is around it."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

_ROUND = 3  # a window shows so many times the box's own sides
_LEAST = 0.3  # and at least so much of the photo's width


def cut(photo: NDArray[np.uint8], box: NDArray[np.float32], margin: float) -> NDArray[np.uint8]:
    """The pixels of a box and a margin around it, as a view of the photo.

    Args:
        photo: uint8 [H, W, 3].
        box: float32 [4], corners ``x, y, x2, y2`` in its pixels.
        margin: Added on every side, as a fraction of the box's width or height; 0 or more.

    Returns:
        uint8 [h, w, 3], at least one pixel, clipped at the photo's borders.
    """
    height, width = photo.shape[:2]
    x, y, right, bottom = (float(value) for value in box)
    wide, high = margin * (right - x), margin * (bottom - y)
    left = min(max(0, math.floor(x - wide)), width - 1)
    top = min(max(0, math.floor(y - high)), height - 1)
    right = min(max(left + 1, math.ceil(right + wide)), width)
    bottom = min(max(top + 1, math.ceil(bottom + high)), height)
    return photo[top : int(bottom), left : int(right)]


def window(
    box: NDArray[np.float32], width: float, height: float, shape: float
) -> tuple[float, float, float, float]:
    """The part of a photo to show around a box.

    Args:
        box: float32 [4], corners in pixels.
        width: Of the photo in pixels.
        height: Of the photo in pixels.
        shape: Width over height of the picture that it fills.

    Returns:
        x, y, width, height in pixels, inside the photo.
    """
    x, y, x2, y2 = (float(v) for v in box)
    wanted = max(_ROUND * (x2 - x), _ROUND * (y2 - y) * shape, _LEAST * width)
    wide, high = min(width, wanted), min(height, wanted / shape)
    left = min(max(0.0, (x + x2 - wide) / 2), width - wide)
    top = min(max(0.0, (y + y2 - high) / 2), height - high)
    return left, top, wide, high


def shown(
    photo: NDArray[np.uint8], part: tuple[float, float, float, float], width: float, height: float
) -> NDArray[np.uint8]:
    """The pixels of a `window`, of a photo that may have been decoded smaller.

    Args:
        photo: uint8 [H, W, 3].
        part: Left, top, width and height in pixels of the whole photo.
        width: Of the whole photo in pixels.
        height: Of the whole photo in pixels.

    Returns:
        uint8 [h, w, 3], at least one pixel, a view of the photo.
    """
    left, top, wide, high = part
    across, down = photo.shape[1] / width, photo.shape[0] / height
    rows = slice(int(top * down), max(int(top * down) + 1, round((top + high) * down)))
    columns = slice(int(left * across), max(int(left * across) + 1, round((left + wide) * across)))
    return photo[rows, columns]
