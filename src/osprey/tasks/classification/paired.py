"""Two classifiers on the same photos: how far apart their figures are, and which answers differ."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from osprey.runs.folder import RunFolder
from osprey.tasks.specs import PairedDifference

_DRAWS = 1000
_TINY = 1e-12  # a probability of 0 has a log loss, though a large one


def paired_difference(
    first: RunFolder, second: RunFolder, table: str, key: str
) -> PairedDifference | None:
    """The difference of a metric on the photos that two tables share, with its 95% interval.

    The interval is a bootstrap over photos, or over their groups: each draw gives both runs the
    same ones, so that what is hard for both does not count.

    Args:
        first: A run.
        second: Another.
        table: ``predictions.csv`` or ``predictions_val.csv``.
        key: ``top1``, ``macro_f1`` or ``log_loss``; of others nothing is known.

    Returns:
        Second minus first; None where the tables share fewer than two photos or label them
        otherwise, or the metric is another.
    """
    both = shared_rows(first, second, table)
    if both is None or len(both) < 2 or key not in ("top1", "macro_f1", "log_loss"):
        return None
    draw = np.random.default_rng(0)
    count = len(both)
    named = both["group"].where(both["group"] != "", both["path"])
    _, unit = np.unique(named, return_inverse=True)
    units = int(unit.max()) + 1
    if units < 2:
        return None
    drawn = draw.multinomial(units, np.full(units, 1 / units), size=_DRAWS)
    weights = np.vstack([np.ones(count), drawn[:, unit]])  # the first is what was measured
    one, other = (_figures(both, side, key, weights) for side in ("_a", "_b"))
    difference = other - one
    low, high = np.quantile(difference[1:], [0.025, 0.975])
    return PairedDifference(float(difference[0]), float(low), float(high), count)


def shared_rows(first: RunFolder, second: RunFolder, table: str) -> pd.DataFrame | None:
    """Both answers to each photo that two tables share; None where they label one otherwise.

    A photo is the same where its path is and, as far as both runs know its bytes, they are.
    """
    try:
        kinds = {"path": str, "label": str}
        tables = [pd.read_csv(run.path / table, dtype=kinds) for run in (first, second)]
    except (OSError, ValueError):
        return None
    if any("path" not in table or table["path"].duplicated().any() for table in tables):
        return None
    both = tables[0].merge(tables[1], on="path", suffixes=("_a", "_b"))
    if "label_a" not in both:
        return None
    mine, theirs = (run.samples().reindex(both["path"], fill_value="") for run in (first, second))
    one, other = mine["sha256"].to_numpy(str), theirs["sha256"].to_numpy(str)
    both = both.assign(group=mine["group"].to_numpy(str))
    both = both[(one == other) | (one == "") | (other == "")].reset_index(drop=True)
    return both if (both["label_a"] == both["label_b"]).all() else None


def changed_answers(first: RunFolder, second: RunFolder, table: str) -> list[dict[str, Any]]:
    """The photos to which two runs answer otherwise: ``path``, ``label``, ``first``, ``second``."""
    both = shared_rows(first, second, table)
    if both is None:
        return []
    other = both[both["predicted_a"] != both["predicted_b"]]
    columns = {"path": "path", "label_a": "label", "predicted_a": "first", "predicted_b": "second"}
    found = other[list(columns)].rename(columns=columns)
    return [{str(k): str(v) for k, v in row.items()} for row in found.to_dict("records")]


def _figures(
    both: pd.DataFrame, side: str, key: str, weights: NDArray[np.float64]
) -> NDArray[np.float64]:
    """A metric in each draw.

    Args:
        both: From `shared_rows`.
        side: Which run's columns.
        key: The metric.
        weights: float64 [draws, photos]: how often a photo was drawn.
    """
    truth = both["label_a"].to_numpy(str)
    answer = both[f"predicted{side}"].to_numpy(str)
    total = weights.sum(axis=1)
    if key == "top1":
        return np.asarray(weights @ (truth == answer) / total)
    if key == "log_loss":
        named = [f"p:{label}{side}" for label in truth]
        values = np.array([both[name].iloc[i] for i, name in enumerate(named)], np.float64)
        return np.asarray(weights @ -np.log(np.maximum(values, _TINY)) / total)
    scores = []
    for label in np.unique(np.concatenate([truth, answer])):
        here, said = truth == label, answer == label
        hits = weights @ (here & said)
        sizes = weights @ here + weights @ said
        scores.append(np.divide(2 * hits, sizes, out=np.full(len(hits), np.nan), where=sizes > 0))
    return np.asarray(np.nanmean(np.stack(scores), axis=0))
