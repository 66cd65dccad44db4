"""Groups that straddle splits, and what a clean split costs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from osprey.data.manifest import SPLITS, Manifest
from osprey.data.splits import assign_splits
from osprey.doctor.finding import Finding
from osprey.doctor.survey import Survey
from osprey.errors import DataError
from osprey.system.console import counted


def check_groups(survey: Survey) -> list[Finding]:
    """Look for groups with photos in several splits."""
    manifest = survey.manifest
    if not manifest.has_groups:
        return []
    table = manifest.table[manifest.table["split"] != ""]
    by_group = table.groupby("group")["split"]
    parts = by_group.nunique()
    straddling = parts[parts > 1].index
    if straddling.empty:
        return []
    places = by_group.indices
    rows_of = table.index.to_numpy()
    bound = [rows_of[places[group]].tolist() for group in straddling]
    sizes = pd.DataFrame({"group": table["group"], "split": table["split"]})
    counts = pd.crosstab(sizes["group"], sizes["split"]).loc[straddling]
    counts = counts.assign(all=counts.sum(axis=1)).sort_values("all", ascending=False)
    lines = [
        (str(group), *(str(row.get(split, 0)) for split in SPLITS))
        for group, row in counts.iterrows()
    ]
    some = ", ".join(line[0] for line in lines[:5]) + (" ..." if lines[5:] else "")
    held = table["group"].isin(straddling) & table["split"].isin(["val", "test"])
    return [
        Finding(
            "groups_across_splits",
            "groups that straddle splits",
            len(straddling),
            "group",
            "cut a clean split with data.given_split=false, or write one with fix=OUT.csv",
            f"of {parts.size}, largest: {some}; {int(held.sum())} photos of val and test have "
            f"others of their group in another split. {_cost(survey)}",
            together=[(rows, f"group {g}") for rows, g in zip(bound, straddling, strict=True)],
            rows=[("group", *SPLITS), *lines],
        )
    ]


def _cost(survey: Survey) -> str:
    """What a clean split costs: photos left out of train, or a split cut anew."""
    table = survey.manifest.table
    held = set(table["group"][table["split"].isin(["val", "test"])])
    train = table["split"] == "train"
    lost = int((train & table["group"].isin(held)).sum())
    dropped = (
        f"A clean split costs {lost} of {int(train.sum())} training photos if val and test stay"
    )
    readable = survey.manifest.where(pd.Series(survey.readable))
    try:
        cut = assign_splits(readable, replace(survey.config, given_split=False))
    except DataError as error:
        return f"{dropped}; another cannot be cut ({error})."
    now = readable.table["split"].to_numpy(dtype=str)
    new = cut.table["split"].to_numpy(dtype=str)
    moved = int(np.sum((now != new) & (now != "")))
    return f"{dropped}; cut anew ({_sizes(cut)}) {counted(moved, 'photo')} change their split."


def _sizes(manifest: Manifest) -> str:
    counts = manifest.table["split"].value_counts()
    return ", ".join(f"{split} {counts.get(split, 0)}" for split in SPLITS)
