"""Statistics of predictions: reliability, coverage, metrics of slices, confusions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from osprey.reports.figures import Slicing, wilson
from osprey.reports.run_record import Floats, Ints
from osprey.tasks.classification.report.record import Predictions

BINS = 15  # as in the expected calibration error of summary.json
_TARGETS = (0.9, 0.95, 0.99)
LEAST = 10  # validation photos that must stay above a threshold for it to be chosen


def untempered(p: Floats, temperature: float) -> Floats:
    """Recover the probabilities before temperature scaling from those after.

    Args:
        p: float64 [N, C].
        temperature: The fitted temperature.

    Returns:
        float64 [N, C].
    """
    logits = temperature * np.log(np.maximum(p, 1e-300))
    raw = np.exp(logits - logits.max(axis=1, keepdims=True))
    result: Floats = raw / raw.sum(axis=1, keepdims=True)
    return result


@dataclass(frozen=True)
class Bin:
    """A reliability bin.

    Attributes:
        score: Mean score of its predictions.
        right: Their accuracy.
        n: Their number.
        low: Lower bound of the accuracy's Wilson interval.
        high: Upper bound.
    """

    score: float
    right: float
    n: int
    low: float
    high: float


def reliability(p: Floats, labels: Ints) -> list[Bin]:
    """Predictions in 15 bins of equal width by score; empty bins are left out.

    Args:
        p: float64 [N, C], probabilities.
        labels: int64 [N], true classes.

    Returns:
        The bins, by rising score.
    """
    scores, right = p.max(axis=1), p.argmax(axis=1) == labels
    place = np.minimum((scores * BINS).astype(int), BINS - 1)
    found = []
    for number in np.unique(place):
        inside = place == number
        n, hits = int(inside.sum()), int(right[inside].sum())
        found.append(Bin(float(scores[inside].mean()), hits / n, n, *wilson(hits, n)))
    return found


def coverage(predictions: Predictions) -> tuple[Floats, Floats, Floats]:
    """Coverage, accuracy and threshold, from the highest score alone to all of them, each [K].

    One entry per distinct score, rounded down to four decimals, as users would type a threshold.

    Args:
        predictions: On one split.

    Returns:
        Coverage (0..1), accuracy (0..1) and threshold, each float64 [K].
    """
    cut = np.floor(predictions.scores * 1e4) / 1e4
    order = np.argsort(-cut, kind="stable")
    scores, right = cut[order], predictions.right[order]
    last = np.append(np.flatnonzero(np.diff(scores)), len(scores) - 1)
    counts = last + 1.0
    return counts / len(scores), np.cumsum(right)[last] / counts, scores[last]


def thresholds(val: Predictions, shown: Predictions) -> list[dict[str, Any]]:
    """For each target accuracy the lowest threshold that reaches it on validation.

    Args:
        val: Predictions on validation.
        shown: Predictions on the split of the report.

    Returns:
        Rows ``{"target", "threshold", "val", "shown"}``; ``threshold`` is None where no threshold
        reaches the target with at least 10 photos, 0 where none is needed.
    """
    share, accuracy, cut = coverage(val)
    rows: list[dict[str, Any]] = [{"target": None, "threshold": 0.0}]
    for target in _TARGETS:
        kept = np.flatnonzero((accuracy >= target) & (share * len(val.scores) >= LEAST))
        found = None if not len(kept) else float(cut[kept[-1]])
        # All of validation is kept, so no threshold is needed.
        found = 0.0 if len(kept) and kept[-1] == len(cut) - 1 else found
        rows.append({"target": target, "threshold": found})
    for row in rows:
        if row["threshold"] is not None:
            row["val"] = _answered(val, row["threshold"])
            row["shown"] = _answered(shown, row["threshold"])
    return rows


def _answered(predictions: Predictions, threshold: float) -> dict[str, Any]:
    kept = predictions.scores >= threshold
    n, right = int(kept.sum()), int(predictions.right[kept].sum())
    low, high = wilson(right, n)
    total = max(1, len(kept))
    return {
        "n": n,
        "coverage": n / total,
        "accuracy": right / n if n else None,
        "low": low,
        "high": high,
    }


def macro_f1(labels: Ints, predicted: Ints) -> float:
    """Mean F1 of the classes that occur in ``labels``; 0 without labels.

    Args:
        labels: int64 [N], true classes.
        predicted: int64 [N].

    Returns:
        0 to 1.
    """
    scores = []
    for number in np.unique(labels):
        hits = int(((labels == number) & (predicted == number)).sum())
        scores.append(2 * hits / int((labels == number).sum() + (predicted == number).sum()))
    return float(np.mean(scores)) if scores else 0.0


def slice_rows(slicing: Slicing, shown: Predictions) -> list[dict[str, Any]]:
    """Metrics of each value of a slicing column.

    Args:
        slicing: The column.
        shown: The predictions.

    Returns:
        Rows with n, top-1 with its 95% interval and macro-F1, lowest top-1 first.
    """
    rows = []
    for code, value in enumerate(slicing.values):
        inside = slicing.codes == code
        n, right = int(inside.sum()), int(shown.right[inside].sum())
        low, high = wilson(right, n)
        f1 = macro_f1(shown.labels[inside], shown.predicted[inside])
        rows.append(
            {"value": value, "n": n, "top1": right / n, "low": low, "high": high, "macro_f1": f1}
        )
    return sorted(rows, key=lambda row: (row["top1"], str(row["value"])))


def confusions(matrix: Ints, limit: int = 20) -> list[tuple[int, int, int]]:
    """The most frequent mistakes.

    Args:
        matrix: int64 [C, C], rows are true classes.
        limit: At most so many.

    Returns:
        (true class, predicted class, count), most frequent first.
    """
    wrong = matrix.copy()
    np.fill_diagonal(wrong, 0)
    places = np.argwhere(wrong > 0)
    ranked = sorted(((int(i), int(j), int(wrong[i, j])) for i, j in places), key=lambda x: -x[2])
    return ranked[:limit]
