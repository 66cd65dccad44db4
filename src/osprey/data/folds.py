"""Equal parts of a data set: stratified, and never through a group or between exact copies."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from osprey.data.copies import joined_groups, originals
from osprey.data.manifest import Manifest
from osprey.data.stratify import deal, names_of
from osprey.errors import DataError


def pieces_of(manifest: Manifest) -> int:
    """How many parts the samples can be cut into: groups, or photos that differ."""
    if manifest.has_groups:
        return len(np.unique(joined_groups(manifest)))
    first = originals(manifest)
    return len(manifest.table) if first is None else len(np.unique(first))


def make_folds(
    manifest: Manifest, count: int, seed: int, columns: Sequence[str] = ()
) -> NDArray[np.int64]:
    """Number the samples 0..count-1: stratified by label, no group and no photo in two folds.

    Args:
        manifest: The samples.
        count: Folds.
        seed: Breaks ties.
        columns: Further columns to stratify by, see `names_of`.

    Raises:
        DataError: There are fewer samples or groups than folds, or a column is none.
    """
    if columns:
        return _by_columns(manifest, count, seed, columns)
    labels = manifest.table["label"].to_numpy(dtype=str)
    if manifest.has_groups:
        return _by_group(labels, joined_groups(manifest), count, seed)
    first = originals(manifest)
    if first is None:
        return _one_by_one(labels, count, seed)
    rows, places = np.unique(first, return_inverse=True)
    return _one_by_one(labels[rows], count, seed)[places]  # copies follow the first of them


def _by_columns(
    manifest: Manifest, count: int, seed: int, columns: Sequence[str]
) -> NDArray[np.int64]:
    """Whole groups, and copies together, shared out by the label and further columns."""
    pieces = joined_groups(manifest) if manifest.has_groups else originals(manifest)
    if pieces is None:
        pieces = np.arange(len(manifest.table))
    known, places = np.unique(pieces, return_inverse=True)
    if len(known) < count:
        what = "groups" if manifest.has_groups else "samples"
        raise DataError(f"{len(known)} {what} cannot be cut into {count} parts")
    every = dict.fromkeys(("label", *columns))
    return deal(places, [names_of(manifest, column) for column in every], count, seed)


def _one_by_one(labels: NDArray[np.str_], count: int, seed: int) -> NDArray[np.int64]:
    if len(labels) < count:
        raise DataError(f"{len(labels)} samples cannot be cut into {count} parts")
    rng = np.random.default_rng(seed)
    folds = np.zeros(len(labels), dtype=np.int64)
    # Dealt like cards, class after class, so that small classes do not pile up in fold 0.
    order = np.lexsort((rng.permutation(len(labels)), labels))
    folds[order] = np.arange(len(labels)) % count
    return folds


def _by_group(
    labels: NDArray[np.str_], groups: NDArray[np.str_], count: int, seed: int
) -> NDArray[np.int64]:
    from sklearn.model_selection import StratifiedGroupKFold

    if len(np.unique(groups)) < count:
        raise DataError(f"{len(np.unique(groups))} groups cannot be cut into {count} parts")
    codes = np.unique(labels, return_inverse=True)[1]
    if np.bincount(codes).max() < count:  # the splitter refuses where no class reaches every fold
        codes = np.zeros_like(codes)
    splitter = StratifiedGroupKFold(count, shuffle=True, random_state=seed)
    folds = np.zeros(len(labels), dtype=np.int64)
    with warnings.catch_warnings():  # of classes smaller than the number of folds: so be it
        warnings.simplefilter("ignore", UserWarning)
        # A row of zeros in place of features, which the splitter wants and does not read.
        for number, (_, held) in enumerate(splitter.split(np.zeros(len(codes)), codes, groups)):
            folds[held] = number
    return folds
