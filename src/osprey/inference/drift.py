"""How answers of a bundle differ from those that it gave on validation."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import NormalDist
from typing import Any

ALPHA = 0.01  # how often chance alone may pass for drift, once for classes and once for scores
# Bins of scores, the upper ends left out; finer where trained networks' scores crowd.
EDGES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.998, 0.999)


@dataclass
class Tally:
    """Answers, counted.

    Attributes:
        classes: How many have each class first, whatever the score.
        scores: How many first scores lie in each bin of `EDGES`, one more than there are edges.
    """

    classes: Counter[str] = field(default_factory=Counter)
    scores: list[int] = field(default_factory=lambda: [0] * (len(EDGES) + 1))

    @property
    def count(self) -> int:
        """Number of answers."""
        return self.classes.total()

    def add(self, label: str, score: float) -> None:
        """Count one answer."""
        self.classes[label] += 1
        self.scores[bisect_right(EDGES, score)] += 1

    def below(self, edge: int) -> int:
        """How many scores lie below an edge."""
        return sum(self.scores[: edge + 1])

    def to_dict(self) -> dict[str, Any]:
        """For the card of a bundle."""
        return {"classes": dict(self.classes), "scores": self.scores, "edges": list(EDGES)}


def first_of(record: Mapping[str, Any]) -> tuple[str, float] | None:
    """The class and the score of a record's first answer, also where it is called unknown.

    Returns:
        None of a record that has none: a failure, or boxes.
    """
    match record.get("top"):
        case [[str(label), int(score) | float(score)], *_] if 0 <= score <= 1:
            return label, float(score)
    return None


def tally(records: Iterable[Mapping[str, Any]]) -> Tally:
    """Count the answers that have a class first."""
    found = Tally()
    for first in map(first_of, records):
        if first is not None:
            found.add(*first)
    return found


def tally_from(content: Any, classes: Sequence[str]) -> Tally | None:
    """The tally that a card keeps; None where it keeps none that is sound.

    Args:
        content: From `Tally.to_dict`, by way of a file that may come from a stranger.
        classes: The bundle's.
    """
    match content:
        case {"classes": dict(counts), "scores": list(scores), "edges": edges}:
            numbers = [*counts.values(), *scores]
            whole = all(type(number) is int and number >= 0 for number in numbers)
            known = set(counts) <= set(classes) and edges == list(EDGES)
            if whole and known and len(scores) == len(EDGES) + 1:
                found = Tally(Counter(counts), scores)
                return found if 0 < found.count == sum(scores) else None
    return None


@dataclass(frozen=True)
class Share:
    """A part of the answers beside the same part on validation.

    Attributes:
        name: The class; or a score that the part lies below.
        now: Share of the answers, 0 to 1.
        then: Share of validation's.
        low: Least that the difference, now minus then, may be.
        high: Most that it may be.
        differs: Whether it is more than chance makes.
    """

    name: str
    now: float
    then: float
    low: float
    high: float
    differs: bool


def class_shares(now: Tally, then: Tally, classes: Sequence[str]) -> list[Share]:
    """Every class, the largest difference first; the intervals hold for all of them at once."""
    z = NormalDist().inv_cdf(1 - ALPHA / (2 * len(classes)))
    shares = []
    for name in classes:
        counts = now.classes[name], now.count, then.classes[name], then.count
        low, high = difference(*counts, z)
        p, q = counts[0] / counts[1], counts[2] / counts[3]
        shares.append(Share(name, p, q, low, high, differs=low > 0 or high < 0))
    return sorted(shares, key=lambda share: (not share.differs, -abs(share.now - share.then)))


def score_share(now: Tally, then: Tally) -> tuple[Share, float]:
    """The score at which the two distributions are furthest apart (Kolmogorov and Smirnov).

    Returns:
        The shares below that score, and the difference that chance alone makes.
    """
    n, m = now.count, then.count
    limit = math.sqrt(-math.log(ALPHA / 2) / 2 * (n + m) / (n * m))
    gaps = [abs(now.below(edge) / n - then.below(edge) / m) for edge in range(len(EDGES))]
    edge = max(range(len(EDGES)), key=gaps.__getitem__)
    a, b = now.below(edge), then.below(edge)
    low, high = difference(a, n, b, m, NormalDist().inv_cdf(1 - ALPHA / 2))
    return Share(f"{EDGES[edge]:g}", a / n, b / m, low, high, differs=gaps[edge] > limit), limit


def difference(a: int, n: int, b: int, m: int, z: float) -> tuple[float, float]:
    """Interval of the difference of two shares (Newcombe 1998, method 10).

    Args:
        a: Of the first ``n``.
        n: Their number.
        b: Of the second ``m``.
        m: Their number.
        z: Normal quantile of the interval's level.

    Returns:
        Least and most of ``a / n - b / m``.
    """
    p, q = a / n, b / m
    (p_low, p_high), (q_low, q_high) = _wilson(a, n, z), _wilson(b, m, z)
    below = math.hypot(p - p_low, q_high - q)
    above = math.hypot(p_high - p, q - q_low)
    return p - q - below, p - q + above


def _wilson(count: int, of: int, z: float) -> tuple[float, float]:
    p, spare = count / of, z * z / of
    middle = (p + spare / 2) / (1 + spare)
    half = z / (1 + spare) * math.sqrt(p * (1 - p) / of + spare / (4 * of))
    return max(0.0, middle - half), min(1.0, middle + half)
