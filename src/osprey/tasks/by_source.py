"""Figures of each source of several data sets joined."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from osprey.config.schema import DataConfig
from osprey.config.sources import sources_of
from osprey.data.manifest import SOURCE, Manifest

BY_SOURCE = "by_source"  # key of a split's figures in summary.json


def figures_by_source(
    data: DataConfig,
    part: Manifest,
    count: int,
    figures: Callable[[NDArray[np.int64]], dict[str, Any]],
) -> dict[str, dict[str, Any]]:
    """The figures of each source that has photos in a split.

    Args:
        data: The run's data settings.
        part: The split's samples.
        count: How many of them were answered, from the first on.
        figures: Gives the figures of some rows, int64 [K].

    Returns:
        ``{"by_source": {NAME: figures}}``; empty where the data are no join.
    """
    names = [source.name for source in sources_of(data)]
    if not names or SOURCE not in part.table:
        return {}
    of = part.table[SOURCE].to_numpy(dtype=str)[:count]
    rows = {name: np.flatnonzero(of == name) for name in names}
    return {BY_SOURCE: {name: figures(mine) for name, mine in rows.items() if len(mine)}}
