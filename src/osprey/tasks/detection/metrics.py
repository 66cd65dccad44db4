"""All metrics of a tested detector, as plain data."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from osprey.config.schema import DataConfig
from osprey.data.manifest import Manifest
from osprey.imaging.boxes import Detections
from osprey.tasks.by_source import figures_by_source
from osprey.tasks.detection.coco import MOST, coco_metrics
from osprey.tasks.detection.draws import ap_intervals
from osprey.tasks.detection.outputs import BoxOutputs, scores_of_class

_NONE_FOUND = 0.5  # the threshold of a class without a correct detection on validation


def best_thresholds(outputs: BoxOutputs, num_classes: int) -> list[float]:
    """The score threshold with the highest F1 (IoU 0.5) for each class.

    Args:
        outputs: Detections and true boxes.
        num_classes: Number of classes.

    Returns:
        One threshold per class, 0 to 1; 0.5 where no detection is correct.
    """
    scored = (scores_of_class(outputs, label) for label in range(num_classes))
    return [_best_threshold(each.scores, each.right, each.total) for each in scored]


def _best_threshold(scores: NDArray[np.float32], right: NDArray[np.bool_], total: int) -> float:
    if not len(scores) or not total or not right.any():
        return _NONE_FOUND
    order = np.argsort(-scores, kind="stable")
    hits = np.cumsum(right[order])
    f1 = 2 * hits / (np.arange(1, len(order) + 1) + total)
    # A threshold is between two scores: of equal ones all count or none.
    ends = np.append(np.diff(scores[order]) < 0, True)
    best = int(np.where(ends, f1, -1).argmax())
    last = scores[order][best]
    below = scores[order][best + 1] if best + 1 < len(order) else np.float32(0)
    between = np.float32((float(last) + float(below)) / 2)
    # In the scores' own precision: of two neighbouring numbers the mean may be the lower one.
    return float(between if between > below else last)


def compute_metrics(
    outputs: BoxOutputs,
    thresholds: Sequence[float],
    classes: Sequence[str],
    groups: Sequence[str] = (),
) -> dict[str, Any]:
    """All metrics of one split.

    Args:
        outputs: Detections and true boxes.
        thresholds: Each class's score from which a box counts.
        classes: Class names in the order of the ids.
        groups: Of each photo, if any are known.

    Returns:
        Those of `plain_metrics`, and those of `ap_intervals`.
    """
    found = plain_metrics(outputs, thresholds, classes)
    return {**found, **ap_intervals(outputs, groups)}


def source_metrics(
    data: DataConfig,
    part: Manifest,
    outputs: BoxOutputs,
    thresholds: Sequence[float],
    classes: Sequence[str],
) -> dict[str, Any]:
    """The metrics of each source of a join, see `figures_by_source`.

    Args:
        data: The run's data settings.
        part: The split's samples.
        outputs: Detections and true boxes of its first photos.
        thresholds: Each class's score from which a box counts.
        classes: Class names in the order of the ids.

    Returns:
        Of each source what `plain_metrics` gives.
    """

    def figures(rows: NDArray[np.int64]) -> dict[str, Any]:
        mine = BoxOutputs(
            [outputs.paths[row] for row in rows],
            [outputs.found[row] for row in rows],
            [outputs.truth[row] for row in rows],
        )
        return plain_metrics(mine, thresholds, classes)

    return figures_by_source(data, part, len(outputs.paths), figures)


def plain_metrics(
    outputs: BoxOutputs, thresholds: Sequence[float], classes: Sequence[str]
) -> dict[str, Any]:
    """The metrics of some photos, without intervals.

    Args:
        outputs: Detections and true boxes.
        thresholds: Each class's score from which a box counts.
        classes: Class names in the order of the ids.

    Returns:
        ``n`` photos, ``boxes``, how many of those are ``beyond`` what can be found, since AP counts
        100 boxes of a class in a photo, COCO's metrics (None where there are no such boxes),
        ``per_class``, ``count_error`` (mean absolute error of boxes per photo) and ``empty``: the
        photos without boxes, and how many of them have a false alarm.
    """
    coco = coco_metrics(outputs.truth, outputs.found, len(classes))
    limits = np.array(thresholds, dtype=np.float32)
    kept = [int((f.scores >= limits[f.labels]).sum()) for f in outputs.found]
    there = [len(truth) for truth in outputs.truth]
    empty = [k for k, n in zip(kept, there, strict=True) if n == 0]
    errors = [abs(k - n) for k, n in zip(kept, there, strict=True)]
    return {
        "n": len(outputs.paths),
        "boxes": sum(there),
        "beyond": sum(_beyond(truth, len(classes)) for truth in outputs.truth),
        **{name: _plain(value) for name, value in coco.scalars.items()},
        "per_class": [
            {
                "label": name,
                **_counted(outputs, label, thresholds[label]),
                "ap": _plain(coco.per_class[label, 0]),
                "ap50": _plain(coco.per_class[label, 1]),
                "threshold": float(thresholds[label]),
            }
            for label, name in enumerate(classes)
        ],
        "count_error": float(np.mean(errors)),
        "empty": {"n": len(empty), "with_false_alarm": sum(k > 0 for k in empty)},
    }


def _beyond(photo: Detections, num_classes: int) -> int:
    """True boxes that no answer can find, as COCO counts so many of a class in a photo."""
    counts = np.bincount(photo.labels, minlength=num_classes)
    return int(np.maximum(counts - MOST, 0).sum())


def _counted(outputs: BoxOutputs, label: int, threshold: float) -> dict[str, float]:
    """How many boxes of a class there are, and what its threshold makes of those found."""
    above = BoxOutputs(outputs.paths, [_above(f, threshold) for f in outputs.found], outputs.truth)
    scored = scores_of_class(above, label)
    hits, found, total = int(scored.right.sum()), len(scored.scores), scored.total
    return {
        "n": total,
        "precision": hits / found if found else 0.0,
        "recall": hits / total if total else 0.0,
        "f1": 2 * hits / (found + total) if found + total else 0.0,
    }


def _above(photo: Detections, threshold: float) -> Detections:
    kept = photo.scores >= threshold
    return Detections(photo.boxes[kept], photo.scores[kept], photo.labels[kept])


def _plain(value: float) -> float | None:
    return None if math.isnan(value) else float(value)
