"""The power law of a learning curve against SciPy's general solver."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as some
from numpy.typing import NDArray
from scipy.optimize import least_squares

from osprey.tasks.power_law import extrapolated, fitted_law

_SIZES = np.array([0.1, 0.25, 0.5, 1.0])
_LOW, _HIGH = [0.0, 0.05, 0.0], [10.0, 2.0, 1.0]


def _law(size: NDArray[np.float64], a: float, b: float, c: float) -> NDArray[np.float64]:
    falling: NDArray[np.float64] = a * size**-b + c
    return falling


def _peer(errors: NDArray[np.float64]) -> NDArray[np.float64]:
    """What the general solver finds from a usual start."""
    done = least_squares(
        lambda p: _law(_SIZES, *p) - errors, [0.3, 0.5, 0.05], bounds=(_LOW, _HIGH)
    )
    found: NDArray[np.float64] = done.x
    return found


@settings(deadline=None, max_examples=60)
@given(some.lists(some.floats(0, 1), min_size=4, max_size=4))
def test_no_other_law_fits_better(values: list[float]) -> None:
    """Whatever the points, within the ranges, and never worse than the general solver's."""
    errors = np.array(values)
    found = np.array(fitted_law(_SIZES, errors[None]))[:, 0]
    assert (found >= _LOW).all() and (found <= _HIGH).all()
    loss = np.square(_law(_SIZES, *found) - errors).sum()
    assert loss <= np.square(_law(_SIZES, *_peer(errors)) - errors).sum() + 1e-9


@settings(deadline=None, max_examples=60)
@given(some.floats(0.05, 0.5), some.floats(0.1, 1.5), some.floats(0, 0.4), some.integers(0, 99))
def test_it_leads_where_the_general_solver_leads(
    scale: float, exponent: float, rest: float, seed: int
) -> None:
    """Of points near a law the figure with twice as many photos is the same."""
    noise = np.random.default_rng(seed).normal(0, 0.002, 4)
    errors = _law(_SIZES, scale, exponent, rest) + noise
    assume(errors.min() > 0 and errors.max() < 1)
    _, (later,) = extrapolated(1000 * _SIZES, 1 - errors[None], 2000.0)
    peer = _peer(errors)
    ours = np.square(_law(_SIZES, *np.array(fitted_law(_SIZES, errors[None]))[:, 0]) - errors).sum()
    assume(np.square(_law(_SIZES, *peer) - errors).sum() <= ours + 1e-9)  # it did not give up
    assert later == pytest.approx(1 - _law(np.array([2.0]), *peer)[0], abs=2e-3)


def test_draws_are_fitted_each_alone() -> None:
    """A draw with a NaN has no law; the others are what they are alone."""
    figures = np.array([[0.5, 0.6, 0.7, 0.75], [0.5, np.nan, 0.7, 0.75], [0.9, 0.8, 0.7, 0.6]])
    now, later = extrapolated(1000 * _SIZES, figures, 2000.0)
    assert np.isnan([now[1], later[1]]).all()
    for row in (0, 2):
        alone = extrapolated(1000 * _SIZES, figures[row : row + 1], 2000.0)
        assert (now[row], later[row]) == (alone[0][0], alone[1][0])
    assert now[2] == later[2]  # a figure that falls is not followed below its mean
