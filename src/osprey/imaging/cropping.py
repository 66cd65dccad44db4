"""A subject cut out of its photo."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray


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
