"""A reader and a sampler of our own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from osprey.errors import DataError


def read_survey(root: Path, table: str = "survey.csv") -> pd.DataFrame:
    """Photos of a diving survey: a folder a transect, each with a table of its photos.

    Args:
        root: Folder of the transects.
        table: Name of each transect's table, with the columns ``file`` and ``species``; further
            ones are kept.

    Returns:
        One row a photo: ``path`` below ``root``, ``label``, ``group`` (the transect, so that no
        transect straddles training and test) and the further columns.

    Raises:
        DataError: There is no such table.
    """
    tables = []
    for file in sorted(root.glob(f"*/{table}")):
        rows = pd.read_csv(file).rename(columns={"species": "label"})
        rows["group"] = file.parent.name
        rows["path"] = [f"{file.parent.name}/{name}" for name in rows.pop("file")]
        tables.append(rows)
    if not tables:
        raise DataError(f"data.root: no folder of '{root}' has a '{table}'")
    return pd.concat(tables, ignore_index=True)


def by_effective_number(targets: NDArray[np.int64], beta: float = 0.99) -> NDArray[np.float64]:
    """Draw rare classes more often, by the effective number of photos.

    Cui et al., "Class-Balanced Loss Based on Effective Number of Samples", 2019.

    Args:
        targets: Class of each training photo, int64 [N].
        beta: 0 draws all photos alike; towards 1 all classes alike.

    Returns:
        The probability [N] with which each photo is drawn.
    """
    counts = np.bincount(targets)[targets]
    weight: NDArray[np.float64] = (1 - beta) / (1 - beta**counts)
    return weight / weight.sum()
