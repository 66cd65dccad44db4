"""COCO metrics of a detector: mAP, AP50, AP75, by size and by class (Lin et al. 2014).

The evaluation itself is faster-coco-eval's; an average over no boxes at all is NaN.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from osprey.imaging.boxes import Detections, areas

# Not through torchmetrics' MeanAveragePrecision(backend="faster_coco_eval"), which wraps the same
# evaluation: on 1,000 photos of 30 boxes (benchmarks/map.py's) it takes 4.2 times as long (2.6 to
# 4.8: 4.5 s over 1.0 s) for figures that differ by less than 2e-4, as it rounds boxes on the way.
MOST = 100  # most boxes per photo and class, as in COCO's own metrics
_AT_50, _AT_75 = 0, 5  # rows of the ten overlaps 0.50, 0.55 ... 0.95
_SIZES = ("all", "small", "medium", "large")  # below 32 x 32, below 96 x 96 pixels, above


@dataclass(frozen=True)
class CocoMetrics:
    """Results of COCO's evaluation.

    Attributes:
        scalars: ``map``, ``ap50``, ``ap75``, ``ap_small``, ``ap_medium``, ``ap_large``, 0 to 1 or
            NaN.
        per_class: float64 [C, 2], AP and AP50 of each class.
        precision: float64 [C, 101], at IoU 0.5 and recalls 0.00, 0.01 ... 1.00.
    """

    scalars: dict[str, float]
    per_class: NDArray[np.float64]
    precision: NDArray[np.float64]


def coco_metrics(
    truth: Sequence[Detections], found: Sequence[Detections], num_classes: int
) -> CocoMetrics:
    """Compute COCO metrics.

    Args:
        truth: One entry per photo; its scores are ignored.
        found: The same photos in the same order; at most 100 boxes per photo and class count.
        num_classes: Number of classes.

    Returns:
        The metrics, 0 to 1; NaN where there are no true boxes.
    """
    from faster_coco_eval import COCO, COCOeval_faster

    images = [{"id": i} for i in range(len(truth))]
    categories = [{"id": c, "name": str(c)} for c in range(num_classes)]
    known, answers = COCO(), COCO()
    for table, photos in ((known, truth), (answers, found)):
        annotations = _annotations(photos)
        table.dataset = {"images": images, "categories": categories, "annotations": annotations}
        table.createIndex()
    run = COCOeval_faster(known, answers, "bbox", print_function=lambda *_: None)
    run.params.maxDets = [MOST]
    run.evaluate()
    run.accumulate()
    # [10 overlaps, 101 recalls, C, 4 sizes, 1]; -1 where a class has no boxes of that size.
    precision = np.array(run.eval["precision"], dtype=np.float64)[..., 0]
    precision = np.where(precision < 0, np.nan, precision)
    every = precision[..., 0]
    scalars = {
        "map": _mean(every),
        "ap50": _mean(every[_AT_50]),
        "ap75": _mean(every[_AT_75]),
        **{f"ap_{name}": _mean(precision[..., i]) for i, name in enumerate(_SIZES) if i},
    }
    per_class = [[_mean(every[:, :, c]), _mean(every[_AT_50, :, c])] for c in range(num_classes)]
    return CocoMetrics(scalars, np.array(per_class).reshape(-1, 2), every[_AT_50].T)


def _annotations(photos: Sequence[Detections]) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for image, photo in enumerate(photos):
        corners = photo.boxes.astype(np.float64)
        sides = np.concatenate([corners[:, :2], corners[:, 2:] - corners[:, :2]], axis=1).tolist()
        columns = zip(
            sides,
            areas(photo.boxes).tolist(),
            photo.labels.tolist(),
            photo.scores.tolist(),
            strict=True,
        )
        known = len(rows)
        rows += [
            {"id": known + i, "image_id": image, "category_id": label, "bbox": box}
            | {"area": area, "score": score, "iscrowd": 0}
            for i, (box, area, label, score) in enumerate(columns, 1)
        ]
    return rows


def _mean(values: NDArray[np.float64]) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean()) if known.size else float("nan")
