"""How a figure grows with the number of training photos, in all and class by class. No torch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from osprey.tasks.power_law import Expected, expected_of, extrapolated

FEW = 10  # photos a class needs to be tested on before its line says anything
_NEAR = 0.01  # that a law may miss an interval by
_WIDE = 0.15  # half an interval's width from which a line is too unsure to act on


@dataclass(frozen=True)
class Line:
    """A figure over the number of training photos.

    Attributes:
        name: Of the metric, or of a class.
        counts: int64 [K], training photos of each point; of a class those of that class.
        tested: Photos it is tested on; of a class those of that class.
        points: K of them; None where nothing is tested or answered.
        doubled: With twice as many photos as the last point has; None where there are fewer than
            three points, or the law misses the last one's interval.
        gain: What the second half of those photos brings.
    """

    name: str
    counts: NDArray[np.int64]
    tested: int
    points: list[Expected | None]
    doubled: Expected | None
    gain: Expected | None

    @property
    def doubt(self) -> str:
        """Why the line is too unsure to act on; empty: it is not."""
        last = self.points[-1]
        if self.tested < FEW or last is None:
            return f"tested on {self.tested}"
        if last.high - last.low > 2 * _WIDE:
            return f"known to {(last.high - last.low) / 2:.2f} alone"
        return ""


def line_of(
    name: str, counts: NDArray[np.int64], tested: int, figures: NDArray[np.float64]
) -> Line:
    """A line, and where it leads.

    Args:
        name: See `Line`.
        counts: int64 [K], ascending.
        tested: See `Line`.
        figures: float64 [draws, K], 0 to 1, of each point in each draw of a bootstrap.
    """
    points = [None if np.isnan(column).all() else expected_of(column) for column in figures.T]
    # Of a class that is not in the smallest sets, or that is not tested.
    known = (counts > 0) & np.array([point is not None for point in points])
    last = points[-1]
    doubled = gain = None
    if known.sum() >= 3 and last is not None:
        known_counts = counts[known].astype(float)
        now, later = extrapolated(known_counts, figures[:, known], 2.0 * known_counts[-1])
        found = np.isfinite(later)
        # A curve of another form, such as one that has only begun to rise, is not followed.
        if (
            found.mean() > 0.5
            and -_NEAR < np.median(now[found]) - last.low < last.high - last.low + _NEAR
        ):
            doubled, gain = expected_of(later), expected_of(later - now)
    return Line(name, counts, tested, points, doubled, gain)
