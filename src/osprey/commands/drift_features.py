"""The part of ``osprey drift`` about features."""

from __future__ import annotations

import math
from array import array
from collections.abc import Sequence
from typing import Any

import numpy as np

from osprey.inference.drift import Share
from osprey.inference.feature_drift import Spread, feature_shares
from osprey.system.console import counted, say, warn

_FEWEST = 30  # answers: of fewer, chance explains nearly everything
_SHOWN = 3  # directions that differ


def features_of(line: dict[str, Any]) -> array[float] | None:
    """The features that a line of a log holds, or None."""
    values = line.get("features")
    if not isinstance(values, list) or not values:
        return None
    plain = all(type(v) in (int, float) and math.isfinite(v) for v in values)
    return array("d", values) if plain else None


def shares_of(
    features: Sequence[array[float]], then: Spread | None
) -> tuple[list[Share], float] | None:
    """How the features of a log lie beside validation's, where both have some.

    Args:
        features: Of the answers.
        then: How validation's lie.

    Returns:
        Each direction's comparison, and what chance alone makes; None where there is too little,
        which is said on standard error.
    """
    if then is None:
        return None
    rows = [row for row in features if len(row) == len(then.edges)]
    if len(rows) < _FEWEST:
        warn(f"features of {counted(len(rows), 'answer')} in the log: {_FEWEST} or more are needed")
        return None
    return feature_shares(then.of(np.array(rows)), then)


def say_features(shares: Sequence[Share], limit: float) -> None:
    """Print the directions that differ, and how many do not."""
    say_shares("features", shares, _SHOWN, "direction", f" (KS at most {limit:.3f})")


def say_shares(
    word: str, shares: Sequence[Share], most: int, unit: str = "", chance: str = ""
) -> None:
    """Print the shares that differ, and how many do not.

    Args:
        word: Before each line.
        shares: All of them.
        most: How many of those that differ are printed.
        unit: What they are; empty: their names say it.
        chance: What chance alone makes, after the last line.
    """
    differing = [share for share in shares if share.differs]
    for share in differing[:most]:
        say(f"{word:<8} {share.name}: {compared(share)}")
    more, rest = len(differing) - most, len(shares) - len(differing)
    if more > 0:
        say(f"{word:<8} and {counted(more, unit) if unit else more} more that differ")
    if rest:
        others = f"the other {rest}" if differing else f"all {rest}{f' {unit}s' if unit else ''}"
        say(f"{word:<8} {others}: no further from validation than chance explains{chance}")


def compared(share: Share) -> str:
    """A share beside validation's, with the interval of the difference."""
    points = 100 * (share.now - share.then)
    interval = f"{100 * share.low:+.1f} to {100 * share.high:+.1f}"
    now, then = f"{100 * share.now:.1f}%", f"{100 * share.then:.1f}%"
    return f"{now} of answers, {then} on validation: {points:+.1f} points ({interval})"
