"""A detector's outputs on a split, and their CSV table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from osprey.data.manifest import Manifest
from osprey.imaging.boxes import Detections, match
from osprey.system.files import write_csv
from osprey.system.launcher import is_first

COLUMNS = ("path", "label", "score", "x", "y", "w", "h")


@dataclass(frozen=True)
class BoxOutputs:
    """Detections and true boxes of each photo of a split, in the photos' own pixels."""

    paths: list[str]
    found: list[Detections]
    truth: list[Detections]


@dataclass(frozen=True)
class ClassScores:
    """The boxes found of one class on a split, and how many there are.

    Attributes:
        scores: float32 [N], of all photos' boxes, each photo's highest first.
        right: bool [N], whether a true box is matched (IoU 0.5).
        total: True boxes.
    """

    scores: NDArray[np.float32]
    right: NDArray[np.bool_]
    total: int


def scores_of_class(outputs: BoxOutputs, label: int) -> ClassScores:
    """Match the boxes found of one class with the true ones, photo by photo.

    Args:
        outputs: Detections and true boxes.
        label: Id of the class.
    """
    scores, right, total = [np.zeros(0, np.float32)], [np.zeros(0, bool)], 0
    for found, truth in zip(outputs.found, outputs.truth, strict=True):
        mine, real = found.labels == label, truth.boxes[truth.labels == label]
        scores.append(found.scores[mine])
        right.append(match(found.boxes[mine], real) >= 0)
        total += len(real)
    return ClassScores(np.concatenate(scores), np.concatenate(right), total)


def true_boxes(manifest: Manifest, row: int, classes: Sequence[str]) -> Detections:
    """The true boxes of one photo as detections with a score of 1.

    Args:
        manifest: Photos with boxes.
        row: Row of the photo.
        classes: Class names in the order of the ids.

    Returns:
        Boxes float32 [N, 4] in pixels of the photo.
    """
    boxes, names = manifest.boxes(row)
    labels = np.array([classes.index(name) for name in names], dtype=np.int64)
    return Detections(boxes, np.ones(len(labels), dtype=np.float32), labels)


def write_boxes(path: Path, outputs: BoxOutputs, classes: Sequence[str]) -> None:
    """Write one row per detection: path, label, score, and x, y, w, h in pixels from the top left.

    In a distributed run only rank 0 writes.

    Args:
        path: The CSV file.
        outputs: Detections of a split.
        classes: Class names in the order of the ids.
    """
    if not is_first():
        return

    def rows() -> Iterator[list[str]]:
        for name, photo in zip(outputs.paths, outputs.found, strict=True):
            for box, score, label in zip(photo.boxes, photo.scores, photo.labels, strict=True):
                x, y, right, bottom = (float(v) for v in box)
                sides = (f"{v:.2f}" for v in (x, y, right - x, bottom - y))
                yield [name, classes[int(label)], f"{score:.6g}", *sides]

    write_csv(path, COLUMNS, rows())
