"""A detector's bundle beside PyTorch: its figures, and whether two answers are the same."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from osprey.data.manifest import Manifest
from osprey.imaging.boxes import Detections, match
from osprey.inference.card import Card
from osprey.tasks.detection.coco import coco_metrics
from osprey.tasks.detection.difficult import counted_only, difficult_in
from osprey.tasks.detection.outputs import true_boxes
from osprey.tasks.detection.prediction import UNCHOSEN, BoxPrediction

_OVERLAP = 0.9  # IoU of a box and its twin
# Between floating-point libraries scores differ by some 1e-5. A box whose score is that near to its
# class's threshold is found by one and not by the other, with nothing wrong with either: only a
# box that is clear of the threshold must have a twin, and the twin may lie just below it.
_NOISE = 1e-3


def figures(card: Card, answers: Sequence[BoxPrediction], part: Manifest) -> dict[str, float]:
    """COCO's metrics of answers that no threshold has cut.

    Args:
        card: The bundle's.
        answers: About N photos.
        part: The same samples in the same order, with their true boxes.

    Returns:
        ``map``, ``ap50`` and the others, 0 to 1 or NaN.
    """
    truth = [true_boxes(part, row, card.classes) for row in range(len(answers))]
    found = [answer.detections for answer in answers if answer.detections is not None]
    truth, found = counted_only(truth, found, difficult_in(part.table))
    return coco_metrics(truth, found, len(card.classes)).scalars


def same_boxes(card: Card, one: BoxPrediction, other: BoxPrediction) -> bool:
    """Whether two answers about a photo hold the same boxes above the thresholds.

    Args:
        card: The bundle's.
        one: An answer that no threshold has cut.
        other: Likewise.
    """
    limits = np.array(card.thresholds or [UNCHOSEN] * len(card.classes), dtype=np.float32)
    first, second = one.detections, other.detections
    if first is None or second is None:
        return first is second
    return _twins(first, second, limits) and _twins(second, first, limits)


def _twins(some: Detections, others: Detections, limits: NDArray[np.float32]) -> bool:
    """Whether each box of ``some`` that is clear of its threshold is among ``others``."""
    clear = some.scores >= limits[some.labels] + _NOISE
    there = others.scores >= limits[others.labels] - _NOISE
    return all(
        (
            match(
                some.boxes[clear & (some.labels == label)],
                others.boxes[there & (others.labels == label)],
                _OVERLAP,
            )
            >= 0
        ).all()
        for label in np.unique(some.labels[clear])
    )


def comparable(card: Card, outputs: Sequence[NDArray[Any]]) -> Sequence[NDArray[Any]]:
    """The outputs as numbers that can be compared one by one.

    Queries come in the order of an earlier layer's scores, which noise swaps where two are nearly
    equal: of these networks only the scores are compared, sorted.
    """
    if card.options["nms_iou"] is not None:
        return outputs
    scores = outputs[0]
    return [np.sort(scores.reshape(len(scores), -1), axis=1)]
