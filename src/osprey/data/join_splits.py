"""Each source of a join split as it would be alone, exact copies across sources together."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from osprey.config.schema import DataConfig
from osprey.config.sources import sources_of
from osprey.data.copies import follow_given
from osprey.data.cuts import cut, free_to_cut
from osprey.data.folds import pieces_of
from osprey.data.manifest import SOURCE, Manifest
from osprey.system.console import counted


def cut_sources(
    manifest: Manifest,
    split: NDArray[np.object_],
    config: DataConfig,
    fraction: float,
    notices: list[str],
) -> NDArray[np.object_]:
    """Split each source that does not give all of its splits, one after the other.

    A source that gives none is cut; one that gives train without val has val cut from it. Where
    a source is all test, no test split is cut from others unless ``data.test_fraction`` is set.

    Args:
        manifest: N samples.
        split: The splits that are given; empty where none is.
        config: Which fractions and seed.
        fraction: The usual one.
        notices: Lines for the user are appended here.

    Returns:
        The splits; empty nowhere.
    """
    sources = sources_of(config)
    of = manifest.table[SOURCE].to_numpy(dtype=str)
    had = {source.name: set(split[of == source.name]) for source in sources}
    tested = any(source.split == "test" for source in sources)
    given = any(found - {""} for found in had.values())
    for source in (source for source in sources if not source.split):
        rows, here = of == source.name, had[source.name]
        if not rows.any():  # none of its photos can be read
            continue
        split = follow_given(manifest, split)
        unset = int((split[rows] == "").sum())
        if unset and here != {""}:
            notices.append(
                f"source {source.name}: {unset} of {counted(int(rows.sum()), 'photo')} without a "
                "split beside those that have one: train"
            )
        split[rows & (split == "")] = "train"
        usual = 0.0 if tested or here != {""} else fraction
        test = usual if config.test_fraction is None else config.test_fraction
        val = fraction if config.val_fraction is None else config.val_fraction
        shares = {k: share for k, share in (("test", test), ("val", val)) if k not in here}
        done = _cut_one(manifest, split, rows, shares, config.split_seed, notices)
        if done and given:
            notices.append(
                f"source {source.name}: {' and '.join(done)} cut from it, which gives none"
            )
    return split


def _cut_one(
    manifest: Manifest,
    split: NDArray[np.object_],
    rows: NDArray[np.bool_],
    shares: Mapping[str, float],
    seed: int,
    notices: list[str],
) -> list[str]:
    """Cut test and val from one source, in place.

    Args:
        manifest: N samples.
        split: Their splits, changed.
        rows: Bool [N], the samples of the source.
        shares: What is cut, as fractions of the source; nothing for 0.
        seed: Of the cuts.
        notices: Lines for the user are appended here.

    Returns:
        What was cut, in words.
    """
    done = []
    for name, share in shares.items():
        if not share:
            continue
        if pieces_of(manifest.where(pd.Series(free_to_cut(manifest, split, rows)))) < 2:
            of = manifest.table[SOURCE][rows].iloc[0]
            notices.append(f"source {of}: too few to cut {name} from, all in train")
            break
        cut(manifest, split, name, share, seed + (name == "val"), rows)
        done.append(f"{share:.0%} {name}")
    return done
