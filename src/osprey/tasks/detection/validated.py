"""A detector's answers about the validation photos of an epoch."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from osprey.imaging.boxes import Detections
from osprey.tasks.bootstrap import drawn_photos
from osprey.tasks.detection.draws import OVERLAPS_OF, as_coco_counts, in_one_table, mean_aps
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
        truth, found = (in_one_table([pair[side] for pair in self._pairs]) for side in (0, 1))
        if not len(truth):
            return None
        values = mean_aps(as_coco_counts(found), truth, OVERLAPS_OF[key], weights).mean(axis=0)
        return float(np.nanstd(values))
