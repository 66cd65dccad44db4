"""Splits: given ones kept, others made stratified, and by group whenever a group is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from osprey.config.groups.data import JOIN
from osprey.config.schema import DataConfig
from osprey.data.copies import follow_given
from osprey.data.cuts import cut
from osprey.data.folds import make_folds
from osprey.data.join_splits import cut_sources
from osprey.data.manifest import SOURCE, Manifest
from osprey.data.missing import SKIP, without_blank
from osprey.data.path_patterns import named_in_paths
from osprey.data.scarce import kept_among, tell_kept
from osprey.errors import DataError, nearest

DEFAULT_FRACTION = 0.15


def assign_groups(manifest: Manifest, group: str | None, within: str | None = None) -> Manifest:
    """Fill the ``group`` column from another column, or from a pattern on the path.

    Args:
        manifest: The samples.
        group: A column's name, a regular expression with ``(?P<group>...)``, or None for no group.
            The name ``group`` is ignored where that column is empty throughout.
        within: A column, such as a join's ``source``, in whose values groups are told apart; where
            one of its values has no groups beside others that have, each photo is its own.

    Returns:
        A copy with the column filled.

    Raises:
        DataError: There is no such column, or the pattern does not match every path.
    """
    table = manifest.table.copy()
    if group is None:
        table["group"] = ""
    elif group in table.columns:
        table["group"] = table[group].fillna("").astype(str)
    elif "(?P<group>" in group:
        table["group"] = named_in_paths(table["path"], group, "group")
    else:
        hint = nearest(group, map(str, table.columns)) or (
            f" (columns: {', '.join(map(str, table.columns))}; a pattern on the path is written "
            r"data.group='(?P<group>boat\d+)_')"
        )
        raise DataError(f"data.group: there is no column '{group}'{hint}")
    if within is not None and group not in (None, within):
        _tell_apart(table, within)
    unset = table["group"] == ""
    if group is not None and unset.any() and not (group == "group" and unset.all()):
        example = table["path"][unset].iloc[0]
        hint = " (data.missing=skip leaves those without out)" if not unset.all() else ""
        raise DataError(
            f"data.group: '{example}' has no '{group}'; fill it in for every sample{hint}"
        )
    return replace(manifest, table=table)


def _tell_apart(table: pd.DataFrame, within: str) -> None:
    """Name groups after what they are of, in place, where there are any."""
    known = table["group"] != ""
    if known.any():
        alone = ~known.groupby(table[within]).transform("any")
        group = table["group"].mask(alone, table["path"])
        table["group"] = (table[within] + "/" + group).where(known | alone, "")


def groups_of_set(
    manifest: Manifest, config: DataConfig, notices: list[str] | None = None
) -> Manifest:
    """`assign_groups` by ``data.group``; the sources of a join tell their groups apart.

    With ``data.missing=skip`` samples whose column says no group are left out, and told.
    """
    skips = config.missing == SKIP and config.reader != JOIN
    if skips and config.group is not None and config.group in manifest.table:
        manifest = without_blank(manifest, config.group, [] if notices is None else notices)
    within = SOURCE if config.reader == JOIN else None
    return assign_groups(manifest, config.group, within)


def given_splits(manifest: Manifest, config: DataConfig) -> NDArray[np.object_]:
    """The splits that the data give, object [N]; all "" where ``data.given_split`` leaves them out.

    Those of a join stay: each source has said whether its own count.
    """
    split = manifest.table["split"].to_numpy(dtype=object, copy=True)
    if not config.given_split and config.reader != JOIN:
        split[:] = ""
    return split


def assign_splits(
    manifest: Manifest, config: DataConfig, notices: list[str] | None = None
) -> Manifest:
    """Give every sample its split.

    Given splits are kept unless ``data.given_split=false``; beside them what has none is train, no
    test split is cut unasked, and what is cut is told. Where none are given they are cut
    stratified by label, by whole groups where groups are known, exact copies together.

    Args:
        manifest: The samples.
        config: Which fractions, folds and seed.
        notices: Lines worth telling the user are appended here.

    Raises:
        DataError: There are too few samples or groups to cut.
    """
    notices = [] if notices is None else notices
    split = given_splits(manifest, config)
    given = bool((split != "").any())
    if config.reader == JOIN and config.folds is None:
        split = cut_sources(manifest, split, config, DEFAULT_FRACTION, notices)
    split = follow_given(manifest, split)
    unset = int((split == "").sum())
    if unset and given:
        have = "has" if unset == 1 else "have"
        notices.append(
            f"{unset} of {len(split)} photos {have} no split beside those that do: train"
        )
    split[split == ""] = "train"
    has_test, has_val = (split == "test").any(), (split == "val").any()
    if config.folds is not None:
        tell_kept(manifest, kept_among(manifest, split != "test"), notices)
        return _assign_folds(manifest, split, config)
    if given and not (split == "train").any():
        raise DataError(f"no 'train' samples in '{manifest.root}'")
    default = 0.0 if given else DEFAULT_FRACTION
    test_fraction = default if config.test_fraction is None else config.test_fraction
    val_fraction = DEFAULT_FRACTION if config.val_fraction is None else config.val_fraction
    if not has_val or (not has_test and test_fraction):
        tell_kept(manifest, kept_among(manifest, split == "train"), notices)
    how = "whole groups of " if manifest.has_groups else ""
    if not has_test and test_fraction:
        if given:
            notices.append(f"no test split: {test_fraction:.0%} cut from {how}train")
        cut(manifest, split, "test", test_fraction, config.split_seed, columns=config.stratify)
    if given and not has_test and config.test_fraction is None:
        notices.append(
            "no test split is given, and none is cut: "
            f"data.test_fraction={DEFAULT_FRACTION} cuts one"
        )
    if not has_val and not val_fraction:
        raise DataError(
            f"no validation split in '{manifest.root}', and data.val_fraction=0 cuts none: give a "
            f"fraction such as {DEFAULT_FRACTION}"
        )
    if not has_val and given:
        notices.append(f"no validation split: {val_fraction:.0%} cut from {how}train")
    if not has_val:
        cut(manifest, split, "val", val_fraction, config.split_seed + 1, columns=config.stratify)
    return _with_split(manifest, split)


def _with_split(manifest: Manifest, split: NDArray[np.object_]) -> Manifest:
    return replace(manifest, table=manifest.table.assign(split=split.astype(str)))


def _assign_folds(manifest: Manifest, split: NDArray[np.object_], config: DataConfig) -> Manifest:
    """Fold ``k`` validates; without a given test split fold ``k`` tests and the next validates."""
    assert config.folds is not None
    free = split != "test"
    has_test = not free.all()
    kept = kept_among(manifest, free)
    free &= ~kept
    split[kept] = "train"
    folds = make_folds(
        manifest.where(pd.Series(free)), config.folds, config.split_seed, config.stratify
    )
    split[free] = "train"
    numbers = np.full(len(split), -1)
    numbers[free] = folds
    if has_test:
        split[numbers == config.fold] = "val"
    else:
        if config.folds < 3:
            raise DataError("data.folds=2 leaves nothing to train on: use 3, or give a test split")
        split[numbers == config.fold] = "test"
        split[numbers == (config.fold + 1) % config.folds] = "val"
    return _with_split(manifest, split)
