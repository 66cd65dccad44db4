"""A classifier's figures in draws of a bootstrap. No torch."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

DRAWN = ("top1", "macro_f1", "log_loss")
_TINY = 1e-12  # a probability of 0 has a log loss, though a large one


def figure_in_draws(
    key: str,
    truth: NDArray[Any],
    answer: NDArray[Any],
    given: NDArray[np.floating[Any]],
    weights: NDArray[Any],
) -> NDArray[np.float64]:
    """A metric in each draw.

    Args:
        key: One of `DRAWN`.
        truth: [N], each photo's class, as a name or a number.
        answer: [N], the class answered.
        given: float [N], the probability given to the true class, 0 to 1.
        weights: [draws, N]: how often a photo was drawn.

    Returns:
        float64 [draws].
    """
    total = weights.sum(axis=1)
    if key == "top1":
        return np.asarray(weights @ (truth == answer) / total)
    if key == "log_loss":
        return np.asarray(weights @ -np.log(np.maximum(given, _TINY)) / total)
    labels = np.unique(np.concatenate([truth, answer]))
    scores = [f1_in_draws(label, truth, answer, weights) for label in labels]
    return np.asarray(np.nanmean(np.stack(scores), axis=0))


def f1_in_draws(
    label: Any, truth: NDArray[Any], answer: NDArray[Any], weights: NDArray[Any]
) -> NDArray[np.float64]:
    """The F1 of one class in each draw, NaN where it is neither there nor answered.

    Args:
        label: The class, as in ``truth``.
        truth: See `figure_in_draws`, as the others.
        answer: As there.
        weights: As there.

    Returns:
        float64 [draws].
    """
    here, said = truth == label, answer == label
    hits = weights @ (here & said)
    sizes = weights @ here + weights @ said
    scores: NDArray[np.float64] = np.full(len(hits), np.nan)
    np.divide(2 * hits, sizes, out=scores, where=sizes > 0)
    return scores
