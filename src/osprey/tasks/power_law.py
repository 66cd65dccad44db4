"""How an error falls with the number of photos: a power law, fitted in every draw. No torch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_EXPONENT = 0.05, 2.0  # range of the law's parameters
_SCALE = 0.0, 10.0
_REST = 0.0, 1.0
_GRID, _ROUNDS = 65, 5  # exponents tried in each draw: the range narrows to 2/64 a round


@dataclass(frozen=True)
class Expected:
    """A figure at a number of photos.

    Attributes:
        value: The median of the draws.
        low: Lower end of the 95% interval.
        high: Upper end.
    """

    value: float
    low: float
    high: float


def expected_of(draws: NDArray[np.float64]) -> Expected:
    """The median and the 95% interval of draws, NaN left out."""
    low, middle, high = np.nanquantile(draws, [0.025, 0.5, 0.975])
    return Expected(float(middle), float(low), float(high))


def extrapolated(
    counts: NDArray[np.float64], figures: NDArray[np.float64], at: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """What a figure comes to with more photos, by ``1 - (a * (n / N) ** -b + c)``.

    The form is that of Hestness et al. (2017) with a rest that no photo takes away.

    Args:
        counts: float64 [K], photos of each point, ascending; N is the last.
        figures: float64 [draws, K], 0 to 1.
        at: Number of photos to look at.

    Returns:
        By the law, the figure at the last point and at ``at``, float64 [draws] each, 0 to 1; NaN
        where a draw has a NaN.
    """
    now, later = np.full(len(figures), np.nan), np.full(len(figures), np.nan)
    known = ~np.isnan(figures).any(axis=1)
    if known.any():
        a, b, c = fitted_law(counts / counts[-1], 1 - figures[known])
        now[known] = np.clip(1 - (a + c), 0, 1)
        later[known] = np.clip(1 - (a * (at / counts[-1]) ** -b + c), 0, 1)
    return now, later


def fitted_law(
    sizes: NDArray[np.float64], errors: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Least squares of ``a * size ** -b + c``, in all draws at once.

    For a given exponent the best scale and rest are known in closed form, which leaves one number
    to search for (variable projection, Golub and Pereyra 1973): a grid that narrows.

    Args:
        sizes: float64 [K], above 0.
        errors: float64 [draws, K].

    Returns:
        Scale a, exponent b and rest c, float64 [draws] each.
    """
    rows = np.arange(len(errors))
    low, high = (np.full(len(errors), end) for end in _EXPONENT)
    for _ in range(_ROUNDS):
        tried = np.linspace(low, high, _GRID, axis=1)
        falling = sizes ** -tried[..., None]  # [draws, grid, K]
        scale, rest, loss = _scale_and_rest(falling, errors[:, None, :])
        best = loss.argmin(axis=1)
        low = tried[rows, np.maximum(best - 1, 0)]
        high = tried[rows, np.minimum(best + 1, _GRID - 1)]
    return scale[rows, best], tried[rows, best], rest[rows, best]


def _scale_and_rest(
    x: NDArray[np.float64], y: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """The best a and c of ``a * x + c`` within their ranges, and the sum of squares, over [..., K].

    Where the free optimum is out of range, the best lies on an edge of the ranges.
    """
    x_mean, y_mean = x.mean(axis=-1), y.mean(axis=-1)
    spread = np.square(x - x_mean[..., None]).sum(axis=-1)
    slope = ((x - x_mean[..., None]) * y).sum(axis=-1) / spread
    pairs = [(slope, y_mean - slope * x_mean)]
    for a in _SCALE:
        pairs.append((np.full_like(slope, a), np.clip(y_mean - a * x_mean, *_REST)))
    for c in _REST:
        through = ((y - c) * x).sum(axis=-1) / np.square(x).sum(axis=-1)
        pairs.append((np.clip(through, *_SCALE), np.full_like(slope, c)))
    scales, rests = np.stack([a for a, _ in pairs]), np.stack([c for _, c in pairs])
    losses = np.square(scales[..., None] * x + rests[..., None] - y).sum(axis=-1)
    outside = (scales < _SCALE[0]) | (scales > _SCALE[1]) | (rests < _REST[0]) | (rests > _REST[1])
    losses[outside] = np.inf
    best = losses.argmin(axis=0)[None]
    scale, rest, loss = (np.take_along_axis(v, best, axis=0)[0] for v in (scales, rests, losses))
    return scale, rest, loss
