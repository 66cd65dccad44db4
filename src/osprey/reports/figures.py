"""What is computed for a report: intervals, reliability, coverage, slices, confusions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from osprey.reports.facts import Floats, Ints, Predictions

BINS = 15  # as in the expected calibration error of summary.json
FEW = 30  # photos below which a slice's figure says little
_TARGETS = (0.9, 0.95, 0.99)
_LEAST = 10  # validation photos that must stay above a threshold for it to be chosen
_MOST_SLICES = 50  # values of a column that are shown one by one
_OWN = 0.8  # values a photo from which a column names photos and tells nothing of kinds of them
_NO_SLICE = {"path", "split", "label", "weight"}


def wilson(right: int, n: int) -> tuple[float, float]:
    """95 % interval of a share of ``right`` among ``n`` (Wilson 1927); 0..1 without photos."""
    if n == 0:
        return 0.0, 1.0
    z = 1.959964
    share, extra = right / n, z * z / n
    centre = (share + extra / 2) / (1 + extra)
    half = z / (1 + extra) * (share * (1 - share) / n + extra / (4 * n)) ** 0.5
    return max(0.0, centre - half), min(1.0, centre + half)


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


@dataclass(frozen=True)
class Slicing:
    """One column of the manifest: its values in the split shown, and each photo's code.

    Of many values the largest 50 are kept, and the last one stands for all ``others``.
    """

    name: str
    values: list[str]
    codes: Ints
    others: int = 0


def slicings(manifest: pd.DataFrame, shown: Predictions) -> tuple[list[Slicing], list[str]]:
    """Every column with 2 or more values among the photos shown, in the manifest's order.

    Returns:
        The slicings, and names of columns left out as nearly every photo has its own value there.
    """
    if manifest.empty:
        return [], []
    part = manifest[manifest["split"] == shown.split].drop_duplicates("path").set_index("path")
    part = part.reindex(shown.paths).fillna("").drop(columns=list(_NO_SLICE), errors="ignore")
    found: list[Slicing] = []
    left_out: list[str] = []
    for column in part.columns:
        codes, values = pd.factorize(part[column], sort=True)
        if len(values) > max(_MOST_SLICES, _OWN * len(codes)):
            left_out.append(str(column))
            continue
        slicing = _largest(str(column), [str(v) for v in values], codes.astype(np.int64))
        twin = any(np.array_equal(slicing.codes, other.codes) for other in found)
        if len(values) >= 2 and not twin:
            found.append(slicing)
    return found, left_out


def _largest(name: str, values: list[str], codes: Ints) -> Slicing:
    """The largest values of many, and the others together; of equals those that come first."""
    others = len(values) - _MOST_SLICES
    if others <= 0:
        return Slicing(name, values, codes)
    order = np.argsort(-np.bincount(codes, minlength=len(values)), kind="stable")
    kept = np.sort(order[:_MOST_SLICES])
    places = np.full(len(values), _MOST_SLICES, dtype=np.int64)
    places[kept] = np.arange(_MOST_SLICES)
    names = [*(values[i] for i in kept), f"others ({others} values)"]
    return Slicing(name, names, places[codes], others)


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
