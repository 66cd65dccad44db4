"""What is computed of answers: reliability, coverage, figures of slices, confusions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from osprey.reports.figures import Slicing, wilson
from osprey.reports.run_record import Floats, Ints
from osprey.tasks.classification.report.record import Predictions

BINS = 15  # as in the expected calibration error of summary.json
_TARGETS = (0.9, 0.95, 0.99)
_LEAST = 10  # validation photos that must stay above a threshold for it to be chosen


def untempered(p: Floats, temperature: float) -> Floats:
    """The probabilities [N, C] before tempering, from those after."""
    logits = temperature * np.log(np.maximum(p, 1e-300))
    raw = np.exp(logits - logits.max(axis=1, keepdims=True))
    result: Floats = raw / raw.sum(axis=1, keepdims=True)
    return result


@dataclass(frozen=True)
class Bin:
    """Answers of about equal score: how sure they were, how often right, how many."""

    score: float
    right: float
    n: int
    low: float
    high: float


def reliability(p: Floats, labels: Ints) -> list[Bin]:
    """Answers in 15 bins of equal width by score; empty bins are left out."""
    scores, right = p.max(axis=1), p.argmax(axis=1) == labels
    place = np.minimum((scores * BINS).astype(int), BINS - 1)
    found = []
    for number in np.unique(place):
        inside = place == number
        n, hits = int(inside.sum()), int(right[inside].sum())
        found.append(Bin(float(scores[inside].mean()), hits / n, n, *wilson(hits, n)))
    return found


def coverage(predictions: Predictions) -> tuple[Floats, Floats, Floats]:
    """Coverage, accuracy and threshold, from the surest answer alone to all of them, each [K].

    One entry a distinct score, cut off after four decimals: a threshold people can type parts no
    others.
    """
    cut = np.floor(predictions.scores * 1e4) / 1e4
    order = np.argsort(-cut, kind="stable")
    scores, right = cut[order], predictions.right[order]
    last = np.append(np.flatnonzero(np.diff(scores)), len(scores) - 1)
    counts = last + 1.0
    return counts / len(scores), np.cumsum(right)[last] / counts, scores[last]


def thresholds(val: Predictions, shown: Predictions) -> list[dict[str, Any]]:
    """For each promised accuracy the lowest threshold that keeps it on validation.

    Returns:
        Rows ``{"target", "threshold", "val", "shown"}``; ``threshold`` is None where no
        threshold keeps the promise for at least 10 photos, 0 where none is needed.
    """
    share, accuracy, cut = coverage(val)
    rows: list[dict[str, Any]] = [{"target": None, "threshold": 0.0}]
    for target in _TARGETS:
        kept = np.flatnonzero((accuracy >= target) & (share * len(val.scores) >= _LEAST))
        found = None if not len(kept) else float(cut[kept[-1]])
        # All of validation is kept: then nothing needs to be turned away.
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
    """Mean F1 of the classes that have photos here."""
    scores = []
    for number in np.unique(labels):
        hits = int(((labels == number) & (predicted == number)).sum())
        scores.append(2 * hits / int((labels == number).sum() + (predicted == number).sum()))
    return float(np.mean(scores)) if scores else 0.0


def slice_rows(slicing: Slicing, shown: Predictions) -> list[dict[str, Any]]:
    """n, top-1 with interval and macro-F1 of each value, worst top-1 first."""
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
    """The most frequent mistakes as (true class, answer, count)."""
    wrong = matrix.copy()
    np.fill_diagonal(wrong, 0)
    places = np.argwhere(wrong > 0)
    ranked = sorted(((int(i), int(j), int(wrong[i, j])) for i, j in places), key=lambda x: -x[2])
    return ranked[:limit]
