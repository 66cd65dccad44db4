"""A detector's average precisions in draws of a bootstrap, at every overlap. No torch."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from osprey.imaging.boxes import assign
from osprey.tasks.detection.interval import average_precisions, mean_over_classes
from osprey.tasks.detection.report.matching import BoxTable, of_one_class

# The overlaps that each metric is the mean of.
OVERLAPS_OF = {
    "map": tuple((50 + 5 * step) / 100 for step in range(10)),
    "ap50": (0.5,),
    "ap75": (0.75,),
}


def mean_aps(
    found: BoxTable, truth: BoxTable, overlaps: Sequence[float], weights: NDArray[np.int32]
) -> NDArray[np.float64]:
    """The mean AP over classes at each overlap in each draw.

    Args:
        found: Detections on P photos, of each class and photo no more than COCO counts.
        truth: Their true boxes.
        overlaps: K of them, ascending, 0 to 1.
        weights: int32 [draws, P]: how often a photo was drawn.

    Returns:
        float64 [K, draws]; NaN in draws without a true box.
    """
    right = np.zeros((len(overlaps), len(found)), dtype=bool)
    for mine, _, shared in of_one_class(found, truth):
        for row in range(bisect_right(overlaps, float(shared.max()))):  # the others nothing reaches
            right[row, mine] = assign(shared, overlaps[row]) >= 0
    every = []
    for label in np.unique(truth.labels):
        own = np.flatnonzero(found.labels == label)
        own = own[np.argsort(-found.scores[own], kind="stable")]
        totals = np.bincount(truth.photos[truth.labels == label], minlength=weights.shape[1])
        every.append(average_precisions(right[:, own], found.photos[own], totals, weights))
    return mean_over_classes(np.stack(every))
