"""What the split of an earlier run demands of a new one that builds on it. No torch here."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from osprey.data.manifest import SPLITS, Manifest
from osprey.errors import DataError
from osprey.runs.folder import RunFolder
from osprey.runs.learnt import earlier_manifest, known_splits, lineage

# Data settings that decide how photos are split, or which there are.
_OF_THE_SPLIT = (
    *("classes", "single_class", "filter", "group", "given_split", "val_fraction"),
    *("test_fraction", "folds", "fold", "split_seed", "stratify", "overfit"),
    *("render_count", "render_seed"),
)


def keep_split(
    manifest: Manifest,
    given: NDArray[np.str_],
    earlier: RunFolder,
    said: Collection[str],
    notices: list[str],
) -> Manifest:
    """Keep photos that an earlier run knows in its splits; new ones join their group's split.

    Otherwise an added photo would move others from split to split. Nothing is changed where the
    command sets anything that determines the split, nor where the data itself gives one.

    Args:
        manifest: The new run's samples, split.
        given: The split that the data gives each of them; empty where it gives none.
        earlier: The run.
        said: Keys set on the command line or by a recipe.
        notices: Lines for the user are appended here.

    Returns:
        The samples with the earlier run's splits.
    """
    keys = {".".join(key.split(".")[:2]) for key in said}
    if keys & {f"data.{name}" for name in _OF_THE_SPLIT}:
        return manifest
    before = earlier_manifest(earlier)
    here, known = known_splits(before, manifest, by_place=True), known_splits(before, manifest)
    moved = int(((known != "") & (here == "")).sum())
    # A file that was changed in place is the same photo to whoever looks at the two.
    wanted = _with_groups(manifest, np.where(known != "", known, here))
    cut = [name for name in SPLITS if not (given == name).any()]
    free = (given == "") | ((given == "train") & np.isin(wanted, [*cut, "train"]))
    split = np.where(free & (wanted != ""), wanted, manifest.table["split"].to_numpy(dtype=str))
    kept = replace(manifest, table=manifest.table.assign(split=split))
    if _straddles(kept) and not _straddles(manifest):  # the earlier run had other groups, or none
        return manifest
    if moved:
        notices.append(
            f"{moved} of {len(known)} photos are those of '{earlier.path}' under other names or "
            "in another folder, known by their bytes: they keep its splits"
        )
    return kept


def _with_groups(manifest: Manifest, known: NDArray[np.str_]) -> NDArray[np.str_]:
    """The splits that are known, and for others that of the known photos of their group."""
    groups = manifest.table["group"].to_numpy(dtype=str)
    pairs = zip(groups, known, strict=True)
    of_group = {group: split for group, split in pairs if group and split}
    return np.array([split or of_group.get(g, "") for g, split in zip(groups, known, strict=True)])


def _straddles(manifest: Manifest) -> bool:
    named = manifest.table[manifest.table["group"] != ""]
    return bool((named.groupby("group")["split"].nunique() > 1).any())


def check_earlier(earlier: RunFolder, manifest: Manifest, *, allowed: bool, what: str) -> list[str]:
    """Check that val and test have no photo that an earlier run, or its own, trained on.

    Photos are known by their bytes, whatever they are called now. Copies of one photo that the
    data's own split separates are not held against the earlier run: the new one leaks by itself,
    and says so.

    Args:
        earlier: The run.
        manifest: The new run's samples.
        allowed: ``data.allow_leakage``: return a warning instead.
        what: The setting that names the run, for the message.

    Returns:
        Warnings for the user.

    Raises:
        DataError: There are such photos, and ``allowed`` is false.
    """
    table = manifest.table
    key = "sha256" if manifest.knows_content else "path"
    own = table[key].isin(table.loc[table["split"] == "train", key])
    held = (table["split"].isin(["val", "test"]) & ~own).to_numpy()
    lines = []
    for run in lineage(earlier):
        before = earlier_manifest(run)
        if held.any():
            lines += _unknown_copies(run, before, manifest, what)
        seen = table["path"][held & (known_splits(before, manifest) == "train")]
        if seen.empty:
            continue
        line = (
            f"{what}: '{run.path}' was trained on {len(seen)} of the photos now in val or test, "
            f"first '{seen.iloc[0]}'"
        )
        if not allowed:
            raise DataError(
                f"{line}; leave the data settings out to take over its own split, put these "
                "photos into train, or accept flattering figures with data.allow_leakage=true"
            )
        lines.append(f"{line}: figures will flatter")
    return lines


def _unknown_copies(run: RunFolder, before: Manifest, manifest: Manifest, what: str) -> list[str]:
    """A line where copies of a run's photos would go unnoticed: in another folder than theirs."""
    unknown = not (before.knows_content and manifest.knows_content)
    if not unknown or before.root.resolve() == manifest.root.resolve():
        return []
    why = "has no sha256 of its photos"
    if not manifest.knows_content:
        why = "is compared with data.check_files=false"
    return [f"{what}: '{run.path}' {why}: copies of them are not known"]
