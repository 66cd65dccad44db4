"""How sure an AP50 is: the interval of a bootstrap over photos, or over their groups."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from osprey.tasks.detection.outputs import BoxOutputs, scores_of_class

_DRAWS = 400
_RECALLS = np.linspace(0, 1, 101)  # where COCO looks up the precision


def ap50_interval(
    outputs: BoxOutputs, num_classes: int, groups: Sequence[str] = ()
) -> tuple[float, float] | None:
    """95% interval of the mean AP at IoU 0.5.

    Args:
        outputs: Detections and true boxes of a split.
        num_classes: Number of classes.
        groups: Of each photo; photos of one group are drawn together. Empty: each by itself.

    Returns:
        Its ends; None where there are fewer than two photos or groups, or no boxes.
    """
    units, of_photo = np.unique(
        list(groups) if any(groups) else np.arange(len(outputs.paths)), return_inverse=True
    )
    if len(units) < 2 or not any(map(len, outputs.truth)):
        return None
    draw = np.random.default_rng(0)
    counts = draw.multinomial(len(units), np.full(len(units), 1 / len(units)), size=_DRAWS)
    weights = counts[:, of_photo].astype(np.float64)
    every = np.stack([_ap50(outputs, label, weights) for label in range(num_classes)])
    there = ~np.isnan(every)
    sums, known = np.where(there, every, 0).sum(axis=0), there.sum(axis=0)
    means = sums[known > 0] / known[known > 0]
    low, high = np.quantile(means, [0.025, 0.975])
    return float(low), float(high)


def _ap50(outputs: BoxOutputs, label: int, weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """AP at IoU 0.5 of one class in each draw; NaN in draws without a true box of it.

    Args:
        outputs: Of a split.
        label: Id of the class.
        weights: float64 [draws, photos]: how often a photo was drawn.
    """
    scored = scores_of_class(outputs, label)
    order = np.argsort(-scored.scores, kind="stable")
    hit, of_photo = scored.right[order], scored.photo[order]
    result = np.full(len(weights), np.nan)
    for draw, weight in enumerate(weights):
        total = float(weight @ scored.totals)
        if not total:
            continue
        each = weight[of_photo]
        hits, found_ = np.cumsum(each * hit), np.cumsum(each)
        precision = np.divide(hits, found_, out=np.zeros_like(hits), where=found_ > 0)
        envelope = np.append(np.maximum.accumulate(precision[::-1])[::-1], 0.0)
        result[draw] = envelope[np.searchsorted(hits / total, _RECALLS - 1e-12)].mean()
    return result
