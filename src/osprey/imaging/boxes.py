"""Boxes as arrays: float32 [N, 4], corners ``x, y, x2, y2`` in pixels, x to the right, y down.

The photo is the one people see, its EXIF orientation applied, and 0, 0 is the outer corner of its
first pixel: a box round the whole photo is ``0, 0, width, height``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Boxes = NDArray[np.float32]
NOTHING = "nothing"  # the label of a photo without boxes


@dataclass(frozen=True)
class Detections:
    """What a detector found on one photo, highest score first.

    Attributes:
        boxes: float32 [N, 4], corners in pixels of the photo.
        scores: float32 [N], 0 to 1.
        labels: int64 [N], class ids counted from 0; there is no id for the background.
    """

    boxes: Boxes
    scores: NDArray[np.float32]
    labels: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.scores)


@dataclass(frozen=True)
class Placement:
    """Where a photo lies in a model's input: ``input = photo * scale + offset``, per axis.

    Attributes:
        scale_x: Input pixels per photo pixel, horizontally.
        scale_y: Likewise, vertically.
        left: Offset of the photo's left border in input pixels; negative where it is cropped.
        top: Offset of the photo's top border, likewise.
    """

    scale_x: float
    scale_y: float
    left: float
    top: float

    def to_input(self, boxes: Boxes) -> Boxes:
        """Map boxes from the photo to the model's input; nothing is clipped.

        Args:
            boxes: float32 [N, 4], corners in pixels of the photo.

        Returns:
            float32 [N, 4], corners in pixels of the input.
        """
        return self._affine(boxes, (self.scale_x, self.scale_y), (self.left, self.top))

    def to_photo(self, boxes: Boxes) -> Boxes:
        """Map boxes from the model's input to the photo; nothing is clipped.

        Args:
            boxes: float32 [N, 4], corners in pixels of the input.

        Returns:
            float32 [N, 4], corners in pixels of the photo.
        """
        scales = 1 / self.scale_x, 1 / self.scale_y
        return self._affine(boxes, scales, (-self.left * scales[0], -self.top * scales[1]))

    @staticmethod
    def _affine(boxes: Boxes, scales: tuple[float, float], offsets: tuple[float, float]) -> Boxes:
        moved = boxes.astype(np.float64) * np.tile(scales, 2) + np.tile(offsets, 2)
        result: Boxes = moved.astype(np.float32)
        return result


def clip(boxes: Boxes, width: float, height: float) -> Boxes:
    """Clip boxes at a photo's borders; a box wholly outside gets zero area.

    Args:
        boxes: float32 [N, 4], corners in pixels.
        width: Of the photo in pixels.
        height: Of the photo in pixels.

    Returns:
        float32 [N, 4], a new array.
    """
    limits = np.array([width, height, width, height], dtype=np.float32)
    return np.clip(boxes, 0, limits).astype(np.float32)


def polygon_box(points: Sequence[tuple[float, float]]) -> tuple[float, float, float, float]:
    """The upright box round the corners of a polygon, of a turned box or of several polygons.

    Args:
        points: x, y of each corner, at least one, in any unit.

    Returns:
        x, y of the top-left corner, width and height, in that unit.
    """
    across, down = [x for x, _ in points], [y for _, y in points]
    left, top = min(across), min(down)
    return left, top, max(across) - left, max(down) - top


def turned_corners(
    box: tuple[float, float, float, float], degrees: float, pivot: tuple[float, float]
) -> list[tuple[float, float]]:
    """The four corners of a box that was turned.

    Args:
        box: x, y, width, height in pixels, before it was turned.
        degrees: Clockwise, as y points down.
        pivot: x, y of the point that stays where it is.

    Returns:
        x, y of each corner in pixels.
    """
    x, y, w, h = box
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    corners = ((x, y), (x + w, y), (x + w, y + h), (x, y + h))
    across = [(a - pivot[0], b - pivot[1]) for a, b in corners]
    return [(pivot[0] + a * cos - b * sin, pivot[1] + a * sin + b * cos) for a, b in across]


def areas(boxes: Boxes) -> NDArray[np.float32]:
    """Area of each box.

    Args:
        boxes: float32 [N, 4], corners in pixels.

    Returns:
        float32 [N], square pixels; 0 where a side is 0 or negative.
    """
    sides = np.clip(boxes[:, 2:] - boxes[:, :2], 0, None)
    result: NDArray[np.float32] = sides[:, 0] * sides[:, 1]
    return result


def iou(a: Boxes, b: Boxes) -> NDArray[np.float32]:
    """Intersection over union of every pair of boxes.

    Args:
        a: float32 [N, 4], corners in pixels.
        b: float32 [M, 4], likewise.

    Returns:
        float32 [N, M], 0 to 1; 0 where both boxes are empty.
    """
    low = np.maximum(a[:, None, :2], b[None, :, :2])
    high = np.minimum(a[:, None, 2:], b[None, :, 2:])
    sides = np.clip(high - low, 0, None)
    shared = sides[..., 0] * sides[..., 1]
    union = areas(a)[:, None] + areas(b)[None, :] - shared
    result: NDArray[np.float32] = np.where(union > 0, shared / np.maximum(union, 1e-12), 0)
    return result.astype(np.float32)


def match(found: Boxes, truth: Boxes, overlap: float = 0.5) -> NDArray[np.int64]:
    """Match detections to true boxes greedily, each true box at most once.

    Args:
        found: float32 [N, 4], of one class on one photo, highest score first: each takes the true
            box of highest IoU that is left.
        truth: float32 [M, 4], the true boxes of that class.
        overlap: Least intersection over union, 0 to 1.

    Returns:
        int64 [N]: index of the true box of each detection, -1 where there is none.
    """
    if not len(found) or not len(truth):
        return np.full(len(found), -1, dtype=np.int64)
    return assign(iou(found, truth), overlap)


def assign(shared: NDArray[np.float32], overlap: float) -> NDArray[np.int64]:
    """`match` by overlaps that are known.

    Args:
        shared: float32 [N, M], from `iou`, of detections and true boxes.
        overlap: Least of it, 0 to 1.

    Returns:
        int64 [N], as `match` does.
    """
    result = np.full(len(shared), -1, dtype=np.int64)
    left = shared.copy()
    for row in np.flatnonzero(shared.max(axis=1, initial=0) >= overlap):
        best = int(left[row].argmax())
        if left[row, best] >= overlap:
            result[row] = best
            left[:, best] = -1
    return result
