"""Which photos earlier runs have learnt from, wherever they lie now. No torch here."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from osprey.errors import UserError
from osprey.runs.folder import RunFolder, find_run

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from osprey.data.manifest import Manifest

_WORST_FIRST = {"train": 0, "val": 1, "test": 2}  # of copies in several splits: was it learnt?


def known_splits(
    before: Manifest, manifest: Manifest, *, by_place: bool = False
) -> NDArray[np.str_]:
    """The split that each sample had in an earlier run.

    Photos are known by their bytes; by where they lie, if the run was written before there was a
    column ``sha256``, or nothing is known of the bytes of these samples.

    Args:
        before: The earlier run's samples.
        manifest: N samples.
        by_place: Go by where they lie in any case.

    Returns:
        N splits; empty where a photo was not among the run's.
    """
    by_place = by_place or not (before.knows_content and manifest.knows_content)
    theirs, mine = (_places(m) if by_place else m.table["sha256"] for m in (before, manifest))
    order = before.table["split"].map(_WORST_FIRST).to_numpy().argsort(kind="stable")
    known = before.table["split"].set_axis(theirs).iloc[order]
    known = known[~known.index.duplicated() & (known.index != "")]
    found: NDArray[np.str_] = known.reindex(mine).fillna("").to_numpy(dtype=str)
    return found


def learnt_from(runs: Iterable[RunFolder], manifest: Manifest) -> NDArray[np.bool_]:
    """Which of N samples one of these runs, or a run that it came from, was trained on."""
    import numpy as np

    learnt = np.zeros(len(manifest.table), dtype=bool)
    for run in runs:
        for earlier in lineage(run):
            learnt |= known_splits(earlier_manifest(earlier), manifest) == "train"
    return learnt


def learnt_counts(run: RunFolder) -> dict[str, int]:
    """How many photos of a run's val and test it, or a run that it came from, was trained on.

    Args:
        run: The run.

    Returns:
        ``{"val": 6, "test": 6}``; without splits of which there are none.
    """
    manifest = earlier_manifest(run)
    split = manifest.table["split"][learnt_from([run], manifest)]
    return {name: int(n) for name in ("val", "test") if (n := (split == name).sum())}


def lineage(run: RunFolder) -> Iterator[RunFolder]:
    """A run, those it came from or is an ensemble of, and so on, as far as they are still there."""
    seen: set[Path] = set()
    waiting = [run]
    while waiting:
        run = waiting.pop(0)
        if run.path.resolve() in seen or not (run.path / "config.yaml").is_file():
            continue
        seen.add(run.path.resolve())
        if (run.path / "manifest.csv").is_file():  # else a DataModule of the user's own had them
            yield run
        config = run.load_config()
        if config.from_run is not None:
            waiting.append(RunFolder(Path(config.from_run)))
        for word in config.model.runs:
            waiting.extend(
                _members(word, [Path(config.paths.runs), *run.path.resolve().parents[1:2]])
            )


def earlier_manifest(run: RunFolder) -> Manifest:
    """A run's samples with their digests, where it has them."""
    return run.load_manifest(run.load_config().data.root, content=True)


def _members(word: str, places: Iterable[Path]) -> list[RunFolder]:
    for place in places:
        try:
            return [find_run(word, place)]
        except UserError:
            pass
    return []


def _places(manifest: Manifest) -> pd.Series[str]:
    """Where each photo lies, as text."""
    return f"{manifest.root.resolve()}/" + manifest.table["path"]
