"""How an error falls with the number of photos: a power law, fitted in every draw. No torch."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_START = 0.3, 0.5, 0.05  # scale, exponent, rest
_BOUNDS = ([0.0, 0.05, 0.0], [10.0, 2.0, 1.0])


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
        where a draw has a NaN or no fit was found.
    """
    from scipy.optimize import curve_fit

    scale = counts / counts[-1]

    def law(n: NDArray[np.float64], a: float, b: float, c: float) -> NDArray[np.float64]:
        falling: NDArray[np.float64] = a * n**-b + c
        return falling

    now, later = np.full(len(figures), np.nan), np.full(len(figures), np.nan)
    for row, values in enumerate(figures):
        if np.isnan(values).any():
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of three numbers no covariance is known
            try:
                found, _ = curve_fit(law, scale, 1 - values, _START, bounds=_BOUNDS)
            except RuntimeError:  # no fit within the steps allowed
                continue
        errors = law(np.array([1.0, at / counts[-1]]), *found)
        now[row], later[row] = np.clip(1 - errors, 0, 1)
    return now, later
