"""Statistics of detections: curves, confusions, counts, types of mistakes, slices."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from osprey.reports.figures import Slicing, wilson
from osprey.reports.run_record import Floats, Ints
from osprey.tasks.detection.report.matching import BESIDE, FAINT, MISTAKEN, NOTHING, TWICE
from osprey.tasks.detection.report.record import DetectorRun

WRONG = {
    NOTHING: "nothing is there",
    BESIDE: "badly placed (overlap 0.1 to 0.5)",
    MISTAKEN: "a subject of another class",
    TWICE: "a subject found already",
}
MISSED = {
    NOTHING: "nothing found there",
    BESIDE: "found, badly placed (overlap 0.1 to 0.5)",
    FAINT: "found, its score below the threshold",
    MISTAKEN: "taken for another class",
}


def precision_recall(run: DetectorRun, label: int) -> tuple[Floats, Floats, Floats]:
    """Recall, precision and score of one class as the threshold falls, each float64 [K].

    One entry per distinct score; empty without detections or true boxes.

    Args:
        run: The record.
        label: Class id.

    Returns:
        Recall (0..1), precision (0..1) and score.
    """
    mine = run.found.labels == label
    total = int((run.truth.labels == label).sum())
    if not mine.any() or not total:
        return (np.zeros(0),) * 3
    scores, right = run.found.scores[mine], run.matched.hit[mine] >= 0
    order = np.argsort(-scores, kind="stable")
    scores, hits = scores[order], np.cumsum(right[order])
    last = np.append(np.flatnonzero(np.diff(scores)), len(scores) - 1)
    return hits[last] / total, hits[last] / (last + 1.0), scores[last]


def outcomes(run: DetectorRun) -> Ints:
    """What became of every true box, and of every detection that is none, at the thresholds.

    Args:
        run: The record.

    Returns:
        int64 [K, 3]: photo, true class, answered class; the background is C.
    """
    m, size, found, truth = run.matched, len(run.classes), run.found, run.truth
    right, other = np.flatnonzero(m.right), np.flatnonzero(m.other >= 0)
    alone = np.flatnonzero((m.wrong > 0) & (m.other < 0))
    unseen = np.flatnonzero((m.missed > 0) & (m.missed != MISTAKEN))
    parts = [
        (found.photos[right], truth.labels[m.hit[right]], found.labels[right]),
        (found.photos[other], truth.labels[m.other[other]], found.labels[other]),
        (found.photos[alone], np.full(len(alone), size), found.labels[alone]),
        (truth.photos[unseen], truth.labels[unseen], np.full(len(unseen), size)),
    ]
    return np.concatenate([np.stack(part, axis=1) for part in parts])


def confusion(run: DetectorRun) -> Ints:
    """Confusion matrix at the thresholds.

    Args:
        run: The record.

    Returns:
        int64 [C + 1, C + 1]; rows are true classes, the last row and column the background.
    """
    size = len(run.classes) + 1
    matrix = np.zeros((size, size), dtype=np.int64)
    _, true, said = outcomes(run).T
    np.add.at(matrix, (true, said), 1)
    return matrix


def mistakes(run: DetectorRun) -> dict[str, list[dict[str, Any]]]:
    """Reasons of mistakes, most frequent first.

    Args:
        run: The record.

    Returns:
        Rows of ``why``, ``n`` and ``share``: false alarms under ``wrong``, misses under ``missed``.
    """
    return {
        "wrong": _reasons(run.matched.wrong, WRONG),
        "missed": _reasons(run.matched.missed, MISSED),
    }


def _reasons(found: Ints, names: dict[int, str]) -> list[dict[str, Any]]:
    total = int((found > 0).sum())
    rows = [
        {"why": name, "n": n, "share": n / total}
        for why, name in names.items()
        if (n := int((found == why).sum()))
    ]
    return sorted(rows, key=lambda row: -int(row["n"]))


def counts(run: DetectorRun) -> tuple[Ints, Ints]:
    """Number of boxes of each photo.

    Args:
        run: The record.

    Returns:
        True boxes and detections above threshold, each int64 [P].
    """
    photos = len(run.paths)
    return (
        np.bincount(run.truth.photos, minlength=photos),
        np.bincount(run.found.photos[run.matched.kept], minlength=photos),
    )


def totals(run: DetectorRun, photos: NDArray[np.bool_] | None = None) -> dict[str, Any]:
    """Recall, precision and F1 at the thresholds, with 95% intervals.

    Args:
        run: The record.
        photos: bool [P], which photos to count; None for all.

    Returns:
        Plain data; None where a ratio is undefined.
    """
    true, kept, right = len(run.truth), run.matched.kept, run.matched.right
    if photos is not None:
        inside = photos[run.found.photos]
        true, kept, right = int(photos[run.truth.photos].sum()), kept & inside, right & inside
    counted, hits = int(kept.sum()), int(right.sum())
    low, high = wilson(hits, true)
    least, most = wilson(hits, counted)
    return {
        "boxes": true,
        "found": counted,
        "right": hits,
        "recall": hits / true if true else None,
        "precision": hits / counted if counted else None,
        "f1": 2 * hits / (true + counted) if true + counted else None,
        "recall_range": (low, high),
        "precision_range": (least, most),
    }


def slice_rows(run: DetectorRun, slicing: Slicing) -> list[dict[str, Any]]:
    """Metrics of each value of a slicing column.

    Args:
        run: The record.
        slicing: The column.

    Returns:
        Rows with recall, precision and count error, lowest recall first.
    """
    true, kept = counts(run)
    rows = []
    for code, value in enumerate(slicing.values):
        inside = slicing.codes == code
        error = float(np.abs(kept - true)[inside].mean())
        n = int(inside.sum())
        rows.append({"value": value, "n": n, "count_error": error, **totals(run, inside)})
    return sorted(rows, key=lambda row: (_or(row["recall"], 2.0), str(row["value"])))


def _or(value: float | None, instead: float) -> float:
    return instead if value is None else value
