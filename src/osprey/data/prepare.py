"""One call from the data section of the configuration to checked, split samples. No torch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from osprey.config.schema import DataConfig
from osprey.data.check import check_files
from osprey.data.copies import report_copies, resolve_conflicts, with_content
from osprey.data.disk_cache import usable_folder
from osprey.data.leakage import check_splits
from osprey.data.manifest import Manifest
from osprey.data.readers import read_manifest
from osprey.data.splits import assign_groups, assign_splits
from osprey.errors import DataError, nearest


@dataclass(frozen=True)
class Prepared:
    """Samples ready for training, and what was found while preparing them.

    Attributes:
        manifest: Readable samples, each with its split.
        unreadable: ``{path: reason}`` of the files left out.
        notices: Lines for the user.
        mended: In a detection set, the boxes that were repaired or dropped, see `mend_boxes`.
        given: The split that the data gave each sample and that was kept; empty where none was.
    """

    manifest: Manifest
    unreadable: dict[str, str]
    notices: list[str]
    mended: pd.DataFrame
    given: NDArray[np.str_]


def prepare(config: DataConfig, cache: Path, notices: list[str] | None = None) -> Prepared:
    """Read, filter, check, group and split the data set.

    Args:
        config: The data section of the configuration.
        cache: ``paths.cache``.
        notices: Lines worth telling the user are appended here.

    Returns:
        The samples, and what was found.

    Raises:
        ConfigError: A reader of the user's own cannot be imported or called.
        DataError: The data cannot be trained on as they are.
    """
    notices = [] if notices is None else notices
    manifest = read_manifest(config, notices)
    if config.classes is not None:
        manifest = only_classes(manifest, list(config.classes))
    if config.single_class is not None:
        manifest = manifest.target.merge_classes(manifest, config.single_class)
    if config.cache == "disk":
        usable_folder(cache, manifest.root)  # before files are checked, which may take minutes
    manifest, unreadable = _readable(manifest, config, cache, notices)
    manifest, mended = manifest.target.mend(manifest, notices)
    manifest = resolve_conflicts(manifest, config.conflicts, notices)
    manifest = assign_groups(manifest, config.group)
    given = manifest.table["split"].to_numpy(dtype=str)
    if not config.given_split:
        given = np.full_like(given, "")
    manifest = assign_splits(manifest, config, notices)
    report_copies(manifest, notices)
    check_splits(manifest, config, notices)
    if config.overfit is not None:
        manifest = _overfit(manifest, config.overfit, config.split_seed)
        given = manifest.table["split"].to_numpy(dtype=str)  # the same photos in each, as asked
    return Prepared(manifest, unreadable, notices, mended, given)


def _readable(
    manifest: Manifest, config: DataConfig, cache: Path, notices: list[str]
) -> tuple[Manifest, dict[str, str]]:
    """The samples whose files can be decoded, with the digests of their bytes; the others' reasons.

    With ``data.check_files=false`` no file is read: all are taken for readable, and for different.
    """
    if not config.check_files:
        return with_content(manifest, None), {}
    paths = manifest.table["path"].tolist()
    checked = check_files(manifest.root, paths, cache)
    manifest = with_content(manifest, checked.digests)
    if checked.unreadable:
        before = set(manifest.classes)
        manifest = manifest.where(~manifest.table["path"].isin(list(checked.unreadable)))
        lost = sorted(before - set(manifest.classes))
        if lost:
            notices.append(f"classes lost, none of their photos can be read: {', '.join(lost)}")
    if manifest.table.empty:
        raise DataError(f"none of the {len(paths)} photos under '{manifest.root}' can be read")
    return manifest, checked.unreadable


def only_classes(manifest: Manifest, wanted: list[str]) -> Manifest:
    """Keep the samples of these classes; in a detection set, their boxes.

    Args:
        manifest: The samples.
        wanted: Class names.

    Returns:
        The remaining samples.

    Raises:
        DataError: One of them has no sample.
    """
    for name in wanted:
        if name not in manifest.classes:
            hint = nearest(name, manifest.classes)
            raise DataError(f"data.classes: no photo is labelled '{name}'{hint}")
    return manifest.target.keep_classes(manifest, wanted)


def _overfit(manifest: Manifest, count: int, seed: int) -> Manifest:
    """The same few training photos as train, val and test: can they be memorised?"""
    train = manifest.split("train").table
    order = np.random.default_rng(seed).permutation(len(train))
    # One of each class in turn, so that a handful still holds every class.
    turn = train.iloc[order].groupby("label").cumcount()
    few = train.iloc[order].assign(turn=turn).sort_values("turn", kind="stable").head(count)
    few = few.drop(columns="turn")
    splits = [few.assign(split=name) for name in ("train", "val", "test")]
    return Manifest(manifest.root, pd.concat(splits, ignore_index=True))
