"""What features of a frozen backbone tell: which photos are alike, which labels are doubtful."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Likeness:
    """Of M photos that can be read.

    Attributes:
        rows: int64 [M], their rows in the manifest.
        features: float32 [M, C].
        answers: float32 [M, K], probabilities of a linear head that had not seen the photo, in the
            order of ``classes``.
        classes: Class names.
    """

    rows: NDArray[np.int64]
    features: NDArray[np.float32]
    answers: NDArray[np.float32]
    classes: list[str]


def alike_pairs(
    features: NDArray[np.float32], least: float, most: int
) -> list[tuple[int, int, float]]:
    """Pairs of photos whose features point in one direction.

    Args:
        features: float32 [M, C].
        least: Their cosine, at least.
        most: Pairs, the likest first.

    Returns:
        Two rows and the cosine.
    """
    units = features / np.maximum(np.linalg.norm(features, axis=1, keepdims=True), 1e-9)
    ends, alike = np.zeros((0, 2), dtype=np.int64), np.zeros(0, dtype=np.float32)
    for start in range(0, len(units), 512):
        cosines = units[start : start + 512] @ units[start:].T
        i, j = np.nonzero(np.triu(cosines >= least, 1))
        alike = np.concatenate([alike, cosines[i, j]])
        ends = np.concatenate([ends, np.stack([i, j], axis=1) + start])
        best = np.argsort(-alike, kind="stable")[:most]
        ends, alike = ends[best], alike[best]
    return [
        (one, other, cosine)
        for (one, other), cosine in zip(ends.tolist(), alike.tolist(), strict=True)
    ]
