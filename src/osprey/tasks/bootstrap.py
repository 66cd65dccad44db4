"""How sure a figure is: a bootstrap over photos, or over their groups. No torch."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from osprey.tasks.specs import PairedDifference


def drawn_photos(groups: Sequence[str], photos: int, draws: int) -> NDArray[np.int32] | None:
    """How often each photo is drawn, the same for the same photos.

    Args:
        groups: Of each photo; those of one group are drawn together, one without a group (``""``)
            by itself. Empty: all by themselves.
        photos: How many.
        draws: Number of draws.

    Returns:
        int32 [draws, photos]; None where there are fewer than two photos or groups.
    """
    named = list(groups) or [""] * photos
    keys = [(group, -1) if group else ("", place) for place, group in enumerate(named)]
    numbers = {key: number for number, key in enumerate(dict.fromkeys(sorted(keys)))}
    of_photo, units = np.array([numbers[key] for key in keys], np.int64), len(numbers)
    if units < 2:
        return None
    draw = np.random.default_rng(0)
    counts = draw.multinomial(units, np.full(units, 1 / units), size=draws)
    return counts[:, of_photo].astype(np.int32)


def difference_of(values: NDArray[np.float64], count: int) -> PairedDifference:
    """A difference with its 95% interval.

    Args:
        values: float64 [1 + draws], what was measured, then each draw's; NaN is of no draw.
        count: Of the samples.
    """
    low, high = np.nanquantile(values[1:], [0.025, 0.975])
    return PairedDifference(float(values[0]), float(low), float(high), count)
