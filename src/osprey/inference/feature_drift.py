"""How the features of the photos differ from those of validation's, direction by direction."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from osprey.inference.drift import ALPHA, Share, difference

DIRECTIONS = 8  # that a bundle with features tells: enough to notice, too few to see a photo by
_BINS = 16


@dataclass(frozen=True)
class Spread:
    """How validation's photos lie along each direction.

    Attributes:
        edges: Of each direction, ascending numbers between bins.
        counts: Of each direction, how many photos lie in each bin, one more than there are edges.
    """

    edges: list[list[float]]
    counts: list[list[int]]

    @property
    def count(self) -> int:
        """Number of photos."""
        return sum(self.counts[0])

    def of(self, features: NDArray[np.float64]) -> Spread:
        """Other photos in the same bins: features [N, K], K the number of directions."""
        counts = [
            _counts(edges, column) for edges, column in zip(self.edges, features.T, strict=True)
        ]
        return Spread(self.edges, counts)


def spread_of(features: Sequence[NDArray[Any] | None]) -> dict[str, Any] | None:
    """For the card: the photos' features in bins that hold equally many of them.

    Args:
        features: Of each photo [K], or None where a bundle tells none.
    """
    rows = [row for row in features if row is not None]
    if not rows:
        return None
    table = np.stack(rows).astype(np.float64)
    shares = np.arange(1, _BINS) / _BINS
    edges = [[round(v, 6) for v in np.quantile(column, shares).tolist()] for column in table.T]
    counts = [_counts(e, column) for e, column in zip(edges, table.T, strict=True)]
    return asdict(Spread(edges, counts))


def spread_from(content: Any) -> Spread | None:
    """What a card keeps, which may come from a stranger; None where that is none."""
    match content:
        case {"edges": [_, *_] as edges, "counts": [_, *_] as counts}:
            pairs = list(zip(edges, counts, strict=False))
            totals = {sum(c) for _, c in pairs if _are_counts(c)}
            sound = len(edges) == len(counts) and len(totals) == 1 and totals != {0}
            if sound and all(_are_edges(e) and _are_counts(c) for e, c in pairs):
                return Spread(edges, counts)
    return None


def _are_edges(values: Any) -> bool:
    return (
        isinstance(values, list)
        and len(values) == _BINS - 1
        and all(type(v) in (int, float) and math.isfinite(v) for v in values)
        and values == sorted(values)
    )


def _are_counts(values: Any) -> bool:
    whole = isinstance(values, list) and all(type(v) is int and v >= 0 for v in values)
    return whole and len(values) == _BINS


def _counts(edges: Sequence[float], column: NDArray[np.float64]) -> list[int]:
    places = np.searchsorted(np.asarray(edges), column, side="right")
    return [int(n) for n in np.bincount(places, minlength=_BINS)]


def feature_shares(now: Spread, then: Spread) -> tuple[list[Share], float]:
    """Of each direction where the two distributions are furthest apart (Kolmogorov and Smirnov).

    The limit and the intervals hold for all directions at once (Bonferroni).

    Returns:
        The share of photos below that place, a direction each, the furthest first; and the
        difference that chance alone makes.
    """
    n, m, alpha = now.count, then.count, ALPHA / len(then.edges)
    limit = math.sqrt(-math.log(alpha / 2) / 2 * (n + m) / (n * m))
    z = NormalDist().inv_cdf(1 - alpha / 2)
    shares = []
    for number, edges in enumerate(then.edges):
        below, before = (np.cumsum(s.counts[number])[:-1] for s in (now, then))
        place = int(np.argmax(np.abs(below / n - before / m)))
        a, b = int(below[place]), int(before[place])
        low, high = difference(a, n, b, m, z)
        differs = abs(a / n - b / m) > limit
        name = f"direction {number + 1} below {edges[place]:.3g}"
        shares.append(Share(name, a / n, b / m, low, high, differs))
    return sorted(shares, key=lambda share: -abs(share.now - share.then)), limit
