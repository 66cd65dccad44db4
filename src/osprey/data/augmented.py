"""Tables of photos with augmented copies, as `augment_data` writes them: no figure is of a copy."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from osprey.data.manifest import Manifest
from osprey.imaging import IMAGE_SUFFIXES
from osprey.system.console import counted


def copies_in(table: pd.DataFrame) -> NDArray[np.bool_]:
    """Which photos are augmented copies.

    Args:
        table: N photos; its columns ``source`` and ``variant`` say so, where the first names photos
            and the second has numbers, 0 for the photo itself.

    Returns:
        Bool [N].
    """
    none = np.zeros(len(table), dtype=bool)
    if not {"source", "variant"} <= set(table.columns):
        return none
    endings = table["source"].astype(str).str.lower().str.extract(r"(\.[^./]*)$")[0]
    numbers = pd.to_numeric(table["variant"], errors="coerce")
    if numbers.isna().any() or not endings.isin(list(IMAGE_SUFFIXES)).all():
        return none  # the user's own columns of such names
    return np.asarray(numbers > 0)


def held_copies(manifest: Manifest, given: NDArray[np.str_]) -> NDArray[np.bool_]:
    """Which photos a cut has put into val or test though they are copies of one that is there.

    Args:
        manifest: N photos, each with its split.
        given: The split that the data gave each.

    Returns:
        Bool [N].
    """
    table = manifest.table
    copies, split = copies_in(table), table["split"].to_numpy(dtype=str)
    if not copies.any():
        return copies
    has_original = table["source"].isin(table["source"][~copies]).to_numpy()
    return np.asarray(copies & has_original & np.isin(split, ["val", "test"]) & (split != given))


def without(manifest: Manifest, held: NDArray[np.bool_], notices: list[str]) -> Manifest:
    """The photos without copies in val and test; tells so, and where copies are in two splits.

    Args:
        manifest: N photos, each with its split.
        held: Bool [N], from `held_copies`.
        notices: Lines for the user are appended here.
    """
    if held.any():
        notices.append(f"left out of val and test, augmented copies of photos: {int(held.sum())}")
        table = manifest.table[~held].reset_index(drop=True)
        manifest = replace(manifest, table=table)
    table = manifest.table
    if copies_in(table).any():
        splits = table.groupby("source")["split"].transform("nunique")
        apart = table["source"][splits > 1]
        if len(apart):
            notices.append(
                f"leaky split: {counted(apart.nunique(), 'photo')} and augmented copies of "
                f"{'it' if apart.nunique() == 1 else 'them'} are in several splits, first "
                f"'{apart.iloc[0]}': figures will flatter; data.group=source keeps them together"
            )
    return manifest
