"""The samples a run is tested on: its own, or another data set's without what it has learnt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from osprey.config.schema import DataConfig, EvalDataConfig
from osprey.errors import DataError
from osprey.runs.folder import RunFolder
from osprey.runs.learnt import known_splits, learnt_from
from osprey.system.console import counted

if TYPE_CHECKING:
    from osprey.data.manifest import Manifest


@dataclass(frozen=True)
class Tested:
    """What a checkpoint is asked about.

    Attributes:
        manifest: The samples, each with its split.
        count: How many are in the split asked for.
        learnt: How many of those a run that answers was trained on.
        own: The run's own samples.
    """

    manifest: Manifest
    count: int
    learnt: int
    own: Manifest


def samples_to_test(
    asked: EvalDataConfig,
    trained: DataConfig,
    runs: Sequence[RunFolder],
    cache: Path,
    notices: list[str],
) -> Tested:
    """Read the samples; photos that a run has learnt from are not in val or test.

    Args:
        asked: Which data set and split, and whether ``allow_leakage`` counts all the same.
        trained: The run's data settings.
        runs: The run, then others that answer as well, such as the detector of two steps.
        cache: Folder where the results of decoding checks are stored.
        notices: Lines for the user are appended here.

    Raises:
        DataError: The data cannot be read, or nothing is left to test on.
    """
    from osprey.data.external_dataset import read_external_dataset
    from osprey.data.folders import check_photos

    run = runs[0]
    own = run.load_manifest(trained.root, content=True)
    if asked.root is None:
        check_photos(own)
        manifest = own
    else:
        manifest = read_external_dataset(asked, trained, own, cache, notices)
    if not asked.allow_leakage:
        if asked.root is not None:
            manifest = _with_own_splits(own, manifest, notices)
        # Whoever trained the run has been told of what lies in its own split.
        strangers = runs[1:] if asked.root is None else runs
        manifest = _without_learnt(strangers, manifest, asked.split, notices)
    part = (manifest.table["split"] == asked.split).to_numpy()
    if not part.any() and asked.root is not None:
        raise _nothing_left(manifest, asked)
    learnt = learnt_from(runs, manifest)
    return Tested(manifest, int(part.sum()), int((learnt & part).sum()), own)


def _with_own_splits(own: Manifest, manifest: Manifest, notices: list[str]) -> Manifest:
    """Photos of the run keep the split they have there, whatever they are called here."""
    known = known_splits(own, manifest)
    if (known != "").any():
        notices.append(
            f"{(known != '').sum()} of {len(known)} photos are the run's own, known by their "
            f"{'bytes' if own.knows_content else 'place'}, and keep its splits: "
            f"{_counts(list(known))}"
        )
    if not own.knows_content:
        notices.append("the run has no sha256 of its photos: copies elsewhere are not known")
    split = manifest.table["split"].mask(known != "", known)
    return replace(manifest, table=manifest.table.assign(split=split))


def _without_learnt(
    runs: Sequence[RunFolder], manifest: Manifest, split: str, notices: list[str]
) -> Manifest:
    """Photos of val or test that any of the runs was trained on count as training photos."""
    if split == "train":
        return manifest
    for run in runs:
        learnt = learnt_from([run], manifest) & (manifest.table["split"] == split).to_numpy()
        if not learnt.any():
            continue
        first = manifest.table["path"][learnt].iloc[0]
        notices.append(
            f"left out of {split}: {counted(int(learnt.sum()), 'photo')} that '{run.path}' or a "
            f"run it came from was trained on, first '{first}'"
        )
        splits = manifest.table["split"].mask(learnt, "train")
        manifest = replace(manifest, table=manifest.table.assign(split=splits))
    return manifest


def _nothing_left(manifest: Manifest, asked: EvalDataConfig) -> DataError:
    found = _counts(list(manifest.table["split"]))
    return DataError(
        f"nothing to test on: no photo under '{asked.root}' is left in {asked.split} ({found}); "
        "name a split with data.split, or photos the run has not seen, or accept flattering "
        "figures with data.allow_leakage=true"
    )


def _counts(splits: Sequence[str]) -> str:
    """``train 24, val 6``."""
    return ", ".join(f"{s} {splits.count(s)}" for s in ("train", "val", "test") if s in splits)
