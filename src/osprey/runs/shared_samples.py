"""The photos that two runs were both asked about, known by their bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from osprey.errors import UserError

if TYPE_CHECKING:
    import pandas as pd

    from osprey.runs.folder import RunFolder

Places = NDArray[np.int64]


def shared_samples(first: pd.DataFrame, second: pd.DataFrame) -> tuple[Places, Places]:
    """Where the photos that two tables share stand in each.

    A photo is the same where its path is and, as far as both know its bytes, they are; or where
    its bytes are, under another path, and no other photo has them.

    Args:
        first: Rows with ``path``, each once, and ``sha256``, empty where it is not known.
        second: Likewise.

    Returns:
        Two int64 [N], rows of the first and of the second, in the order of the first.
    """
    import pandas as pd

    one, other = (
        table[["path", "sha256"]].assign(row=np.arange(len(table))) for table in (first, second)
    )
    named = one.merge(other, on="path", suffixes=("_a", "_b"))
    known = (named["sha256_a"] != "") & (named["sha256_b"] != "")
    named = named[~known | (named["sha256_a"] == named["sha256_b"])]
    left = one[~one["row"].isin(named["row_a"]) & (one["sha256"] != "")]
    right = other[~other["row"].isin(named["row_b"]) & (other["sha256"] != "")]
    alone = (table.drop_duplicates("sha256", keep=False) for table in (left, right))
    moved = next(alone).merge(next(alone), on="sha256", suffixes=("_a", "_b"))
    both = pd.concat([named, moved])[["row_a", "row_b"]].sort_values("row_a")
    return both["row_a"].to_numpy(np.int64), both["row_b"].to_numpy(np.int64)


def nothing_shared(
    split: str, runs: tuple[RunFolder, RunFolder], counts: tuple[int, int]
) -> UserError:
    """The line for two runs that have no photo of a split in common."""
    one, other = (f"'{run.path}' has {n}" for run, n in zip(runs, counts, strict=True))
    return UserError(f"no photo of {split} is in both runs: {one}, {other}, all of them others")
