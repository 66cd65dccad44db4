"""A detector's answers about the validation photos of an epoch."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from osprey.imaging.boxes import Detections
from osprey.tasks.bootstrap import drawn_photos
from osprey.tasks.detection.draws import OVERLAPS_OF, mean_aps
from osprey.tasks.detection.report.matching import BoxTable
from osprey.tasks.validated import Validated

_DRAWS = 200  # a standard deviation is known to 5% by then


class ValidatedBoxes(Validated):
    """The boxes of all processes' photos.

    Args:
        pairs: True boxes and detections of each photo.
    """

    def __init__(self, pairs: Sequence[tuple[Detections, Detections]]) -> None:
        self._pairs = pairs

    def standard_error(self, key: str) -> float | None:
        """See `Validated`; of ``map``, ``ap50`` and ``ap75``."""
        weights = drawn_photos([], len(self._pairs), _DRAWS)
        if key not in OVERLAPS_OF or weights is None:
            return None
        truth, found = (_table([pair[side] for pair in self._pairs]) for side in (0, 1))
        if not len(truth):
            return None
        values = mean_aps(found, truth, OVERLAPS_OF[key], weights).mean(axis=0)
        return float(np.nanstd(values))


def _table(photos: Sequence[Detections]) -> BoxTable:
    """One table, in the order that `of_one_class` needs."""
    counts = [len(photo) for photo in photos]
    numbers = np.repeat(np.arange(len(photos)), counts)
    labels = np.concatenate([photo.labels for photo in photos])
    scores = np.concatenate([photo.scores for photo in photos]).astype(np.float64)
    boxes = np.concatenate([photo.boxes for photo in photos])
    order = np.lexsort((-scores, labels, numbers))
    return BoxTable(numbers[order], labels[order], scores[order], boxes[order])
