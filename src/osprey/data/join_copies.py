"""Photos that stand in two sources of a join: none is trained on in one and tested in another."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from osprey.data.copies import CONTENT, originals
from osprey.data.manifest import SOURCE, SPLITS, Manifest
from osprey.errors import DataError
from osprey.system.console import counted


def same_file_twice(manifest: Manifest, conflicts: str, notices: list[str]) -> Manifest:
    """The samples with each file once, as the source has it that is named first.

    Args:
        manifest: The samples of all sources, in their order.
        conflicts: ``data.conflicts``: what becomes of a file under two labels.
        notices: Lines for the user are appended here.

    Raises:
        DataError: A file has two labels, and that is to be refused.
    """
    table = manifest.table
    twice = table.duplicated("path", keep=False)
    if not twice.any():
        return manifest
    what = "label" if manifest.target.one_label else "boxes"
    torn = twice & (table.groupby("path")[what].transform("nunique") > 1)
    if torn.any() and manifest.target.one_label:
        rows = table[torn].drop_duplicates(["path", "label"])
        path = rows["path"].iloc[0]
        pair = rows[rows["path"] == path]
        said = ", ".join(
            f"{label} in {of}" for label, of in zip(pair["label"], pair[SOURCE], strict=True)
        )
        count = counted(table["path"][torn].nunique(), "photo")
        line = f"{count} of several sources under more than one label, first '{path}' ({said})"
        if conflicts == "refuse":
            raise DataError(
                f"{line}; correct the labels, leave them out with data.conflicts=drop, or take "
                "the first source's with data.conflicts=keep"
            )
        notices.append(f"{'left out' if conflicts == 'drop' else 'as in the first'}: {line}")
        if conflicts == "drop":
            manifest = manifest.where(~torn)
            table = manifest.table
    again = table.duplicated("path")
    if again.any():
        first = table["path"][again].iloc[0]
        other = f", {int((torn & again).sum())} of them with other boxes" if what == "boxes" else ""
        notices.append(
            f"one file in two sources: {counted(int(again.sum()), 'photo')}{other}, kept as the "
            f"source has it that is named first, such as '{first}'"
        )
    return manifest.where(~again)


def learnt_elsewhere(manifest: Manifest) -> NDArray[np.bool_]:
    """Which photos of val and test another source trains on, or of test validates on.

    Args:
        manifest: N samples, each with its split and source.

    Returns:
        Bool [N]; none where nothing is known of the files' bytes.
    """
    if originals(manifest) is None:
        return np.zeros(len(manifest.table), dtype=bool)
    table = manifest.table
    found = np.zeros(len(table), dtype=bool)
    for held, learns in (("val", ["train"]), ("test", ["train", "val"])):
        uses = table["split"].isin(learns)
        anywhere = uses.groupby(table[CONTENT]).transform("sum")
        here = uses.groupby([table[CONTENT], table[SOURCE]]).transform("sum")
        found |= ((table["split"] == held) & (anywhere > here)).to_numpy()
    return found


def without_learnt(manifest: Manifest, learnt: NDArray[np.bool_], notices: list[str]) -> Manifest:
    """The samples without photos of val and test that another source learns from; tells so.

    Args:
        manifest: N samples.
        learnt: Bool [N], from `learnt_elsewhere`.
        notices: Lines for the user are appended here.
    """
    if not learnt.any():
        return manifest
    table = manifest.table
    of = table[learnt]
    sizes = (of[SOURCE] + " " + of["split"]).value_counts(sort=False)
    shown = ", ".join(f"{which} {n}" for which, n in sizes.items())
    path, digest = of["path"].iloc[0], of[CONTENT].iloc[0]
    copies = table[(table[CONTENT] == digest) & (table[SOURCE] != of[SOURCE].iloc[0])]
    order = copies["split"].map(SPLITS.index)
    notices.append(
        f"left out of val and test, byte for byte in another source's training: "
        f"{counted(int(learnt.sum()), 'photo')} ({shown}), first '{path}' = "
        f"'{copies['path'][order.idxmin()]}'"
    )
    return replace(manifest, table=table[~learnt].reset_index(drop=True))


def tell_copies(manifest: Manifest, checked: bool, notices: list[str]) -> None:
    """Say how many photos stand in two sources, whatever their splits.

    Args:
        manifest: The samples.
        checked: Whether files were read: else nothing is known.
        notices: A line is appended.
    """
    if not checked:
        notices.append("photos that stand in two sources are not known: data.check_files=false")
    first = originals(manifest)
    if first is None:
        return
    sources = manifest.table[SOURCE].groupby(manifest.table[CONTENT]).transform("nunique")
    several = (sources > 1) & pd.Series(first == np.arange(len(first)))
    if several.any():
        notices.append(f"in two sources, byte for byte: {counted(int(several.sum()), 'photo')}")
