"""One call from the data section of the configuration to checked, split samples. No torch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from osprey.config.groups.data import JOIN
from osprey.config.schema import DataConfig
from osprey.config.sources import roots_of
from osprey.data.augmented import held_copies, without
from osprey.data.balance import check_columns
from osprey.data.check import check_files
from osprey.data.copies import report_copies, resolve_conflicts, with_content
from osprey.data.disk_cache import usable_folder
from osprey.data.formats.camera_traps import single_labels
from osprey.data.join_copies import learnt_elsewhere, tell_copies, without_learnt
from osprey.data.keep_classes import only_classes
from osprey.data.leakage import check_splits
from osprey.data.manifest import Manifest
from osprey.data.notices import guesses
from osprey.data.readers import read_manifest
from osprey.data.splits import assign_splits, given_splits, groups_of_set
from osprey.data.value_range import resolve_range
from osprey.errors import DataError
from osprey.imaging.deep import Range
from osprey.imaging.formats import NEEDS_HEIC
from osprey.system.console import counted

DATA = "data.json"  # in the run folder


@dataclass(frozen=True)
class Prepared:
    """Samples ready for training, and what was found while preparing them.

    Attributes:
        manifest: Readable samples, each with its split.
        unreadable: ``{path: reason}`` of the files left out.
        notices: Lines for the user.
        mended: In a detection set, the boxes that were repaired or dropped, see `mend_boxes`.
        given: The split that the data gave each sample and that was kept; empty where none was.
        value_range: Samples of photos of more than 8 bits that become black and white, or None.
    """

    manifest: Manifest
    unreadable: dict[str, str]
    notices: list[str]
    mended: pd.DataFrame
    given: NDArray[np.str_]
    value_range: Range | None = None


def read_as(config: DataConfig, prepared: Prepared) -> dict[str, Any]:
    """How the data were read, for the run folder.

    Returns:
        ``reader``, ``file``; ``guesses``: what could have been read otherwise; ``notices``: the
        other lines that were printed.
    """
    guessed = guesses(prepared.notices)
    return {
        "reader": config.reader,
        "file": config.file,
        "guesses": guessed,
        "notices": [str(line) for line in prepared.notices if line not in guessed],
    }


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
    if config.reader == "camera_traps":  # elsewhere a column of that name is the user's own
        manifest = single_labels(manifest, notices)
    if config.classes is not None:
        manifest = only_classes(manifest, list(config.classes))
    if config.single_class is not None:
        manifest = manifest.target.merge_classes(manifest, config.single_class)
    if config.cache == "disk":
        usable_folder(cache, roots_of(config))  # before files are checked, which may take minutes
    manifest, unreadable, value_range = _readable(manifest, config, cache, notices)
    manifest, mended = manifest.target.mend(manifest, notices)
    manifest = resolve_conflicts(manifest, config.conflicts, notices)
    manifest = groups_of_set(manifest, config, notices)
    check_columns(manifest, config)
    given = given_splits(manifest, config).astype(str)
    manifest = assign_splits(manifest, config, notices)
    held = held_copies(manifest, given)
    manifest, given = without(manifest, held, notices), given[~held]
    if config.reader == JOIN:
        tell_copies(manifest, config.check_files, notices)
        learnt = learnt_elsewhere(manifest)
        manifest, given = without_learnt(manifest, learnt, notices), given[~learnt]
    report_copies(manifest, notices)
    check_splits(manifest, config, notices)
    if config.overfit is not None:
        manifest = _overfit(manifest, config.overfit, config.split_seed)
        given = manifest.table["split"].to_numpy(dtype=str)  # the same photos in each, as asked
    return Prepared(manifest, unreadable, notices, mended, given, value_range)


def _readable(
    manifest: Manifest, config: DataConfig, cache: Path, notices: list[str]
) -> tuple[Manifest, dict[str, str], Range | None]:
    """The samples whose files can be decoded, with the digests of their bytes; the others' reasons.

    And the range of deep ones. With ``data.check_files=false`` no file is read: all are taken for
    readable, and for different.
    """
    given = None if config.value_range is None else (config.value_range[0], config.value_range[1])
    if not config.check_files:
        return with_content(manifest, None), {}, given
    paths = manifest.table["path"].tolist()
    checked = check_files(manifest.root, paths, cache, given)
    value_range = resolve_range(config, checked.levels, notices)
    manifest = with_content(manifest, checked.digests)
    if checked.unreadable:
        before = set(manifest.classes)
        manifest = manifest.where(~manifest.table["path"].isin(list(checked.unreadable)))
        lost = sorted(before - set(manifest.classes))
        if lost:
            notices.append(f"classes lost, none of their photos can be read: {', '.join(lost)}")
        if any(why.endswith(NEEDS_HEIC) for why in checked.unreadable.values()):
            count = sum(why.endswith(NEEDS_HEIC) for why in checked.unreadable.values())
            notices.append(
                f"left out, HEIC: {counted(count, 'photo')}; the extra that reads them: "
                "pip install 'osprey-vision[heic]'"
            )
    if manifest.table.empty:
        first = next(iter(checked.unreadable.values()))
        raise DataError(
            f"none of the {len(paths)} photos under '{manifest.root}' can be read; the first, "
            f"{first}"
        )
    return manifest, checked.unreadable, value_range


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
