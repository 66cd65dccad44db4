"""False alarms that are the same box in many photos: something that stands still in view."""

from __future__ import annotations

from typing import Any

import numpy as np

from osprey.imaging.boxes import iou
from osprey.reports.run_record import Ints
from osprey.tasks.detection.report.matching import NOTHING
from osprey.tasks.detection.report.record import DetectorRun

MANY = 5  # photos from which it is no coincidence
_SAME = 0.8  # overlap of two boxes that are one
_MOST = 1000  # of a class and size of photo, the surest; every pair of them is compared
_SHOWN = 5


def repeats(run: DetectorRun) -> list[dict[str, Any]]:
    """Places with a false alarm of one class in at least 5 photos of one size.

    Args:
        run: The record.

    Returns:
        Up to 5 rows of ``label``, ``photos`` and the box's ``x, y, w, h`` in pixels, those in the
        most photos first.
    """
    alarms = np.flatnonzero(run.matched.wrong == NOTHING)
    if len(alarms) < MANY:
        return []
    alike = np.column_stack([run.found.labels[alarms], run.sizes[run.found.photos[alarms]]])
    _, group = np.unique(alike, axis=0, return_inverse=True)
    rows: list[dict[str, Any]] = []
    for number in range(int(group.max()) + 1):
        mine = alarms[group.ravel() == number]
        surest = mine[np.argsort(-run.found.scores[mine], kind="stable")][:_MOST]
        rows += _places(run, surest)
    return sorted(rows, key=lambda row: -int(row["photos"]))[:_SHOWN]


def _places(run: DetectorRun, alarms: Ints) -> list[dict[str, Any]]:
    """Boxes that many others equal, each with those others taken away before the next is sought."""
    same = iou(run.found.boxes[alarms], run.found.boxes[alarms]) >= _SAME
    photos = run.found.photos[alarms]
    left = np.ones(len(alarms), dtype=bool)
    rows: list[dict[str, Any]] = []
    while left.any() and len(rows) < _SHOWN:
        counts = [
            len(np.unique(photos[row & left])) if free else 0
            for row, free in zip(same, left, strict=True)
        ]
        best = int(np.argmax(counts))
        if counts[best] < MANY:
            break
        x1, y1, x2, y2 = (round(float(v)) for v in run.found.boxes[alarms[best]])
        label = run.classes[int(run.found.labels[alarms[best]])]
        place = {"x": x1, "y": y1, "w": x2 - x1, "h": y2 - y1}
        rows.append({"label": label, "photos": counts[best], **place})
        left &= ~same[best]
    return rows
