"""How sure an average precision is: a bootstrap over photos, or over their groups."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

DRAWS = 400
_RECALLS = np.linspace(0, 1, 101)  # where COCO looks up the precision
_AT_ONCE = 1_000_000  # numbers: more do not stay near the processor


def average_precisions(
    right: NDArray[np.bool_],
    photo: NDArray[np.int64],
    totals: NDArray[np.int64],
    weights: NDArray[np.int32],
) -> NDArray[np.float64]:
    """COCO's AP of one class in each draw.

    Args:
        right: bool [K, N], whether each detection, highest score first, is right at each overlap.
        photo: int64 [N], number of its photo.
        totals: int64 [P], true boxes of each photo.
        weights: int32 [draws, P]: how often a photo was drawn.

    Returns:
        float64 [K, draws]; NaN in draws without a true box of the class.
    """
    result = np.full((len(right), len(weights)), np.nan)
    boxes = weights @ totals
    places = [np.flatnonzero(row) for row in right]  # between them the precision only falls
    step = max(1, _AT_ONCE // max(1, len(photo)))
    for start in range(0, len(weights), step):
        part = slice(start, start + step)
        each = weights[part, photo]
        found = np.cumsum(each, axis=1, dtype=np.int32)  # several times as fast as others
        for row, place in enumerate(places):
            result[row, part] = _interpolated(each[:, place], found[:, place], boxes[part])
    result[:, boxes == 0] = np.nan
    return result


def _interpolated(
    each: NDArray[np.int32], found: NDArray[np.int32], boxes: NDArray[np.int64]
) -> NDArray[np.float64]:
    """The mean of the best precision at or beyond each of COCO's recalls, float64 [draws].

    Args:
        each: int32 [draws, H], how often each right detection was drawn.
        found: int32 [draws, H], how many detections were drawn up to it.
        boxes: int64 [draws], true boxes drawn.
    """
    hits = np.cumsum(each, axis=1, dtype=np.int32)
    precision = hits / np.maximum(found, 1)
    best = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
    recall = hits / np.maximum(boxes, 1)[:, None]
    reached = np.searchsorted(_RECALLS, recall, side="right")
    area: NDArray[np.float64] = (best * np.diff(reached, axis=1, prepend=0)).sum(axis=1)
    return area / len(_RECALLS)


def mean_over_classes(every: NDArray[np.float64]) -> NDArray[np.float64]:
    """The mean over classes [C, ...] that have true boxes; NaN where none has."""
    there = ~np.isnan(every)
    sums, known = np.where(there, every, 0).sum(axis=0), there.sum(axis=0)
    means: NDArray[np.float64] = np.full(sums.shape, np.nan)
    np.divide(sums, known, out=means, where=known > 0)
    return means
