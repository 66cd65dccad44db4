"""Splits by several columns: whole pieces, every sample once, each name shared out evenly."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from helpers import data_config, groups_straddle, manifest_of, quick
from hypothesis import given
from hypothesis import strategies as st

from osprey.data.folds import make_folds
from osprey.data.manifest import Manifest
from osprey.data.splits import assign_splits
from osprey.data.stratify import deal, names_of
from osprey.errors import DataError

some_names = st.lists(st.sampled_from("abcd"), max_size=3, unique=True)


@quick
@given(
    st.lists(st.tuples(st.integers(0, 20), some_names, some_names), min_size=8, max_size=80),
    st.integers(1, 5),
)
def test_pieces_stay_whole_and_names_are_shared_out(
    rows: list[tuple[int, list[str], list[str]]], count: int
) -> None:
    pieces = np.unique([row[0] for row in rows], return_inverse=True)[1]
    columns = [[row[1] for row in rows], [row[2] for row in rows]]
    part = deal(pieces, columns, count, seed=0)
    assert len(part) == len(rows) and set(part.tolist()) <= set(range(count))
    assert all(len(set(part[pieces == piece])) == 1 for piece in pieces)
    assert (deal(pieces, columns, count, seed=0) == part).all()


@quick
@given(st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from("xyz")), min_size=30, max_size=90))
def test_single_photos_are_shared_out_by_two_columns_at_once(rows: list[tuple[str, str]]) -> None:
    columns = [[[row[place]] for row in rows] for place in (0, 1)]
    part = deal(np.arange(len(rows)), columns, 3, seed=1)
    assert np.ptp(np.bincount(part, minlength=3)) <= 3
    for column in columns:
        for name in {each[0] for each in column}:
            mine = np.array([each == [name] for each in column])
            assert np.ptp(np.bincount(part[mine], minlength=3)) <= 3


def with_columns(groups: list[str] | None = None) -> Manifest:
    """120 photos of two labels; season goes across them, species is several names."""
    manifest = manifest_of(["a", "b"] * 60, groups)
    season = [("wet" if number % 5 == 0 else "dry") for number in range(120)]
    species = [";".join("xyz"[: 1 + number % 3]) if number % 4 else "" for number in range(120)]
    return replace(manifest, table=manifest.table.assign(season=season, species=species))


def test_a_split_is_even_in_every_column_and_keeps_groups() -> None:
    manifest = with_columns([f"g{number // 3}" for number in range(120)])
    config = data_config(stratify=["season", "species"], group="group")
    cut = assign_splits(manifest, config)
    assert not groups_straddle(cut)
    rows = cut.table
    for name in ("train", "val", "test"):
        mine = rows[rows["split"] == name]
        assert (mine["season"] == "wet").mean() == pytest.approx(0.2, abs=0.08)
        assert mine["species"].str.contains("z").mean() == pytest.approx(0.25, abs=0.1)


def test_cells_of_several_names_and_columns_that_are_none() -> None:
    manifest = with_columns()
    assert names_of(manifest, "species")[:3] == [[], ["x", "y"], ["x", "y", "z"]]
    with pytest.raises(DataError, match="there is no column 'seson'"):
        make_folds(manifest, 3, 0, ["seson"])
    own = replace(manifest, table=manifest.table.assign(name=[f"n{i}" for i in range(120)]))
    with pytest.raises(DataError, match="'name' has 120 values on 120 photos: nearly each"):
        make_folds(own, 3, 0, ["name"])
    with pytest.raises(DataError, match="120 samples cannot be cut into 121 parts"):
        make_folds(manifest, 121, 0, ["season"])
