"""Which unlabelled photos a person should label next: uncertain, diverse, and some by chance."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

UNCERTAIN, AUDIT = "uncertain", "audit"
_AUDIT = 0.1  # of the photos, drawn by chance: what the model is sure of may be wrong, too
_WIDER = 5  # times as many uncertain photos as are wanted are looked at for diverse ones


@dataclass(frozen=True)
class NextPhoto:
    """A photo to label.

    Attributes:
        path: Below the folder that was asked about.
        predicted: What the model names.
        score: Its probability, 0 to 1.
        why: ``uncertain`` or ``audit``.
    """

    path: str
    predicted: str
    score: float
    why: str


def choose(
    features: NDArray[np.float32], probabilities: NDArray[np.float32], count: int, seed: int = 0
) -> list[tuple[int, str]]:
    """Choose photos to label next.

    Of those with the smallest margin between the two likeliest classes, five times as many as are
    wanted, one a cluster of the features is taken; a tenth is drawn by chance as an audit.

    Args:
        features: [N, C].
        probabilities: [N, K], of two classes or more.
        count: How many are wanted.
        seed: Of chance.

    Returns:
        Row and reason of each, the most uncertain first and the audit last; all where there are
        no more than are wanted.
    """
    from sklearn.cluster import KMeans

    draw = np.random.default_rng(seed)
    total = len(features)
    count = min(count, total)
    audit = draw.permutation(total)[: round(count * _AUDIT)]
    two = np.partition(probabilities, -2, axis=1)[:, -2:]
    doubt = 1 - np.abs(two[:, 1] - two[:, 0])
    doubt[audit] = -1
    wanted = count - len(audit)
    order = np.argsort(-doubt, kind="stable")[: total - len(audit)]
    near = order[: _WIDER * wanted]
    if len(near) > wanted:
        values = features[near] / np.maximum(np.linalg.norm(features[near], axis=1), 1e-9)[:, None]
        clusters = KMeans(wanted, n_init=1, random_state=seed).fit_predict(values)
        _, first = np.unique(clusters, return_index=True)  # the most uncertain of each: in order
        chosen = near[first]
        others = near[~np.isin(near, chosen)]  # where photos are alike, clusters stay empty
        chosen = np.concatenate([chosen, others[: wanted - len(chosen)]])
    else:
        chosen = near
    chosen = chosen[np.argsort(-doubt[chosen], kind="stable")]
    return [*((int(row), UNCERTAIN) for row in chosen), *((int(row), AUDIT) for row in audit)]
