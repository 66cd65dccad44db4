"""Weights that even out columns of a table: classes first, then boats within each class."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from osprey.config.schema import DataConfig
from osprey.data.manifest import Manifest
from osprey.errors import DataError, nearest

POWERS = {"balanced": 0.0, "sqrt": 0.5}  # of a value's samples: what they weigh together


def balancing_weights(
    columns: Sequence[Sequence[str] | NDArray[Any]], power: float = 0.0
) -> NDArray[np.float64]:
    """Weight every sample so that the values of a column count alike, each column within the last.

    The values of the first column share the whole in proportion to their number of samples to
    the power; the values of the second that occur with one of the first share that one's part in
    the same way, and so on; samples that agree in all columns share theirs equally. With a power
    of 0 and columns of C classes and their groups that is ``N / (C * G * n)`` for the G groups
    that have samples of the class, and n samples of the class and group.

    Args:
        columns: One or more columns of N values each.
        power: 0 for values that weigh alike, 1 for samples that do.

    Returns:
        float64 [N] with a mean of 1; empty for no samples.
    """
    count = len(columns[0])
    weights = np.full(count, float(count))
    if not count:
        return weights
    above = np.zeros(count, dtype=np.int64)  # of each sample what it is by the columns so far
    for column in columns:
        values = pd.factorize(pd.Series(column))[0].astype(np.int64)
        codes = pd.factorize(above * (values.max() + 1) + values)[0]
        shares = np.bincount(codes).astype(float) ** power
        first = np.unique(codes, return_index=True)[1]
        total = np.bincount(above[first], weights=shares)
        weights *= shares[codes] / total[above]
        above = codes
    return weights / np.bincount(above)[above]


def check_columns(manifest: Manifest, config: DataConfig) -> None:
    """Check that what ``data.balance_by`` names can be evened out.

    Raises:
        DataError: There is no such column, or nothing stands in it.
    """
    table = manifest.table
    for name in config.balance_by:
        if name not in table:
            known = [str(column) for column in table]
            hint = nearest(name, known) or f" (there are: {', '.join(known)})"
            raise DataError(f"data.balance_by: there is no column '{name}'{hint}")
        if not (table[name].astype(str) != "").any():
            remedy = "name the groups with data.group" if name == "group" else "leave it out"
            raise DataError(f"data.balance_by: the column '{name}' is empty: {remedy}")


def columns_of(part: Manifest, names: Sequence[str]) -> list[list[str]]:
    """Columns of samples as text."""
    return [part.table[name].astype(str).tolist() for name in names]
