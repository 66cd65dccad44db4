"""What boxes score that are the same in every photo: a detector has to be better than that."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from osprey.data.manifest import Manifest
from osprey.imaging.boxes import Boxes, Detections, iou
from osprey.tasks.detection.coco import coco_metrics
from osprey.tasks.detection.difficult import counted_only, difficult_in
from osprey.tasks.detection.outputs import true_boxes

_PHOTOS, _CANDIDATES = 1000, 300  # of training, drawn where there are more
_MOST = 10  # boxes of a class
_LEAST = 0.01  # share of the photos that a further box has to add
_WHOLE = np.array([[0.025, 0.025, 0.975, 0.975]], dtype=np.float32)  # 90% of a photo


def blind_figures(train: Manifest, part: Manifest) -> dict[str, Any]:
    """The metrics of the best fixed boxes, chosen on training, on a split.

    Args:
        train: The training split, which says where boxes are.
        part: The split to answer about.

    Returns:
        ``ap50``, ``ap75`` and ``map``; empty where a split has no boxes.
    """
    classes = sorted({*train.classes, *part.classes})
    fixed = fixed_boxes(train, classes)
    truth = [true_boxes(part, row, classes) for row in range(len(part.table))]
    if not len(fixed) or not any(map(len, truth)):
        return {}
    sides = part.table[["width", "height"]].to_numpy(dtype=np.float32)
    answers = [
        Detections(fixed.boxes * np.tile(side, 2), fixed.scores, fixed.labels) for side in sides
    ]
    truth, answers = counted_only(truth, answers, difficult_in(part.table))
    scalars = coco_metrics(truth, answers, len(classes)).scalars
    return {name: float(scalars[name]) for name in ("ap50", "ap75", "map")}


def fixed_boxes(train: Manifest, classes: Sequence[str]) -> Detections:
    """For each class the boxes that hit most training photos (IoU 0.5), added one by one.

    Args:
        train: Photos with boxes.
        classes: Class names in the order of the ids.

    Returns:
        Corners as fractions of a photo's sides, highest score first; the score is the share of
        photos that a box hits and none before it does.
    """
    rows = np.random.default_rng(0).permutation(len(train.table))[:_PHOTOS]
    sides = train.table[["width", "height"]].to_numpy(dtype=np.float32)
    photos = [true_boxes(train, int(row), classes) for row in rows]
    parts: list[tuple[Boxes, NDArray[np.float32], int]] = []
    for label in range(len(classes)):
        boxes = [
            photo.boxes[photo.labels == label] / np.tile(sides[row], 2)
            for photo, row in zip(photos, rows, strict=True)
        ]
        if any(map(len, boxes)):
            parts.append((*_of_class(boxes), label))
    if not parts:
        none = np.zeros(0, dtype=np.float32)
        return Detections(none.reshape(0, 4), none, none.astype(np.int64))
    scores = np.concatenate([part[1] for part in parts])
    labels = np.concatenate([np.full(len(part[1]), part[2], dtype=np.int64) for part in parts])
    order = np.argsort(-scores, kind="stable")
    return Detections(
        np.concatenate([part[0] for part in parts])[order], scores[order], labels[order]
    )


def _of_class(photos: list[Boxes]) -> tuple[Boxes, NDArray[np.float32]]:
    """The fixed boxes of one class and the share of photos that each adds."""
    every = np.concatenate(photos)
    drawn = np.random.default_rng(0).permutation(len(every))[:_CANDIDATES]
    middle = np.median(every, axis=0, keepdims=True).astype(np.float32)
    candidates = np.concatenate([every[drawn], middle, _WHOLE])
    hits = np.stack(
        [
            (iou(candidates, boxes) >= 0.5).any(axis=1)
            if len(boxes)
            else np.zeros(len(candidates), dtype=bool)
            for boxes in photos
        ],
        axis=1,
    )
    chosen: list[int] = []
    shares: list[float] = []
    left = np.ones(len(photos), dtype=bool)
    while len(chosen) < _MOST:
        gained = (hits & left).mean(axis=1)
        best = int(gained.argmax())
        if chosen and gained[best] < _LEAST:
            break
        chosen.append(best)
        shares.append(float(gained[best]))
        left &= ~hits[best]
    return candidates[chosen], np.array(shares, dtype=np.float32)
