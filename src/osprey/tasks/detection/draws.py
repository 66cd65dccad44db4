"""A detector's average precisions in draws of a bootstrap, at every overlap. No torch."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from osprey.imaging.boxes import Detections, assign
from osprey.tasks.bootstrap import drawn_photos
from osprey.tasks.detection.coco import MOST
from osprey.tasks.detection.interval import DRAWS, average_precisions, mean_over_classes
from osprey.tasks.detection.outputs import BoxOutputs
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


def ap_intervals(
    outputs: BoxOutputs, groups: Sequence[str] = ()
) -> dict[str, tuple[float, float] | None]:
    """95% intervals of AP50 and of the mean over overlaps.

    Args:
        outputs: Detections and true boxes of a split.
        groups: Of each photo; photos of one group are drawn together. Empty: each by itself.

    Returns:
        ``ap50_interval`` and ``map_interval``: their ends; None where there are fewer than two
        photos or groups, or no boxes.
    """
    weights = drawn_photos(groups, len(outputs.paths), DRAWS)
    truth = in_one_table(outputs.truth)
    if weights is None or not len(truth):
        return {"ap50_interval": None, "map_interval": None}
    every = mean_aps(
        as_coco_counts(in_one_table(outputs.found)), truth, OVERLAPS_OF["map"], weights
    )
    return {"ap50_interval": _ends(every[0]), "map_interval": _ends(every.mean(axis=0))}


def _ends(values: NDArray[np.float64]) -> tuple[float, float]:
    low, high = np.nanquantile(values, [0.025, 0.975])
    return float(low), float(high)


def in_one_table(photos: Sequence[Detections]) -> BoxTable:
    """Boxes in one table, in the order that `of_one_class` needs."""
    counts = [len(photo) for photo in photos]
    numbers = np.repeat(np.arange(len(photos)), counts)
    labels = np.concatenate([photo.labels for photo in photos])
    scores = np.concatenate([photo.scores for photo in photos]).astype(np.float64)
    boxes = np.concatenate([photo.boxes for photo in photos])
    order = np.lexsort((-scores, labels, numbers))
    return BoxTable(numbers, labels, scores, boxes).at(order)


def as_coco_counts(found: BoxTable) -> BoxTable:
    """The first detections of each photo and class, by which the table is sorted."""
    places = np.arange(len(found))
    new = np.ones(len(found), dtype=bool)
    new[1:] = (np.diff(found.photos) != 0) | (np.diff(found.labels) != 0)
    rank = places - np.maximum.accumulate(np.where(new, places, 0))
    return found.at(rank < MOST)
