"""Boxes marked difficult, which count neither as found nor as missed (Everingham et al. 2010)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from osprey.data.box_column import DIFFICULT
from osprey.imaging.boxes import Boxes, Detections, iou
from osprey.tasks.detection.report.matching import OVERLAP, BoxTable

_SAME = 0.98  # overlap of a box with itself, moved by rounding on the way through an input


def difficult_in(table: pd.DataFrame) -> list[Boxes] | None:
    """The difficult boxes of each photo.

    Args:
        table: A manifest's.

    Returns:
        Corners in pixels, float32 [N, 4] a photo; None where none are left out.
    """
    if DIFFICULT not in table:
        return None
    return [_corners(str(text)) for text in table[DIFFICULT]]


def _corners(text: str) -> Boxes:
    boxes = np.array(json.loads(text) if text.startswith("[") else [], np.float32).reshape(-1, 4)
    boxes[:, 2:] += boxes[:, :2]
    return boxes


def counted_masks(
    truth: tuple[Boxes, NDArray[np.int64]], found: tuple[Boxes, NDArray[np.int64]], difficult: Boxes
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which boxes of one photo count.

    Args:
        truth: The N true boxes, difficult ones among them, and their class ids.
        found: The M detections likewise.
        difficult: The difficult ones.

    Returns:
        bool [N], without the difficult ones; and bool [M], without detections whose likest true
        box of their class is a difficult one (IoU 0.5 or more).
    """
    (boxes, labels), (seen, seen_labels) = truth, found
    if not len(difficult) or not len(boxes):
        return np.ones(len(boxes), dtype=bool), np.ones(len(seen), dtype=bool)
    hard: NDArray[np.bool_] = np.asarray((iou(boxes, difficult) >= _SAME).any(axis=1))
    if not len(seen):
        return ~hard, np.ones(0, dtype=bool)
    shared = iou(seen, boxes) * (seen_labels[:, None] == labels)
    likest = shared.argmax(axis=1)
    on_hard = hard[likest] & np.asarray(shared.max(axis=1) >= OVERLAP)
    return ~hard, ~on_hard


def counted_only(
    truth: Sequence[Detections], found: Sequence[Detections], difficult: Sequence[Boxes] | None
) -> tuple[list[Detections], list[Detections]]:
    """True boxes and detections that count, see `counted_masks`; all without ``difficult``."""
    if difficult is None:
        return list(truth), list(found)
    pairs = [
        _pair(one, other, hard) for one, other, hard in zip(truth, found, difficult, strict=False)
    ]
    return [one for one, _ in pairs], [other for _, other in pairs]


def _pair(truth: Detections, found: Detections, hard: Boxes) -> tuple[Detections, Detections]:
    if not len(hard):
        return truth, found
    keep, kept = counted_masks((truth.boxes, truth.labels), (found.boxes, found.labels), hard)
    return _rows(truth, keep), _rows(found, kept)


def _rows(photo: Detections, keep: NDArray[np.bool_]) -> Detections:
    return replace(
        photo, boxes=photo.boxes[keep], scores=photo.scores[keep], labels=photo.labels[keep]
    )


def counted_tables(
    truth: BoxTable, found: BoxTable, difficult: Iterable[Boxes] | None
) -> tuple[BoxTable, BoxTable]:
    """Tables of true boxes and detections that count, see `counted_masks`."""
    keep, kept = np.ones(len(truth), dtype=bool), np.ones(len(found), dtype=bool)
    for photo, hard in enumerate(difficult or ()):
        if len(hard):
            mine = np.flatnonzero(truth.photos == photo)
            others = np.flatnonzero(found.photos == photo)
            keep[mine], kept[others] = counted_masks(
                (truth.boxes[mine], truth.labels[mine]),
                (found.boxes[others], found.labels[others]),
                hard,
            )
    return truth.at(keep), found.at(kept)
