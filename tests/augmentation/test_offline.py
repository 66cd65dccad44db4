"""Offline augmentation: counts, weights, names; whatever the classes and groups."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from osprey.augmentation.offline.counts import BALANCES, class_targets, copies_of
from osprey.augmentation.offline.variants import free_mark
from osprey.data.balance import balancing_weights
from osprey.data.photo_paths import PhotoPaths

CELLS = st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from("xyz")), min_size=1)


@settings(deadline=None, max_examples=50)
@given(CELLS)
def test_weights_make_classes_and_their_groups_count_alike(cells: list[tuple[str, str]]) -> None:
    table = pd.DataFrame(cells, columns=["label", "group"])
    for groups in ([], [table["group"].tolist()]):
        table["weight"] = balancing_weights([table["label"].tolist(), *groups])
        assert np.isclose(table["weight"].mean(), 1)
        totals = table.groupby("label")["weight"].sum()
        assert np.allclose(totals, len(table) / len(totals))
        if groups:
            within = table.groupby(["label", "group"])["weight"].sum()
            assert np.allclose(within.groupby("label").agg(np.ptp), 0)


@settings(deadline=None)
@given(
    st.lists(st.integers(1, 500), min_size=1, max_size=8),
    st.integers(0, 12),
    st.sampled_from(BALANCES),
)
def test_targets_share_out_all_copies_and_keep_every_photo(
    sizes: list[int], copies: int, balance: str
) -> None:
    numbers = np.array(sizes, dtype=np.int64)
    targets = class_targets(numbers, copies, balance)
    assert targets.sum() == numbers.sum() * (1 + copies) and (targets >= numbers).all()
    if balance == "none":
        assert np.array_equal(targets, numbers * (1 + copies))
    grown = targets > numbers
    if balance == "uniform" and grown.any():
        assert np.ptp(targets[grown]) <= 1 and (targets[~grown] >= targets[grown].max() - 1).all()
    order = np.argsort(numbers, kind="stable")
    assert (np.diff(targets[order]) >= -1).all()  # rare classes gain, and overtake none


@settings(deadline=None, max_examples=50)
@given(CELLS, st.integers(0, 6), st.sampled_from(BALANCES), st.integers(0, 3), st.randoms())
def test_copies_of_a_photo_do_not_depend_on_the_order(
    cells: list[tuple[str, str]], copies: int, balance: str, seed: int, mix: object
) -> None:
    names = [f"{number}.jpg" for number in range(len(cells))]
    labels, groups = [cell[0] for cell in cells], [cell[1] for cell in cells]
    kinds, sizes = np.unique(labels, return_counts=True)
    targets = class_targets(sizes.astype(np.int64), copies, balance)
    wanted = dict(zip(kinds.tolist(), map(int, targets), strict=True))
    found = copies_of(names, labels, groups, wanted, balance, seed)
    made = pd.Series(found + 1).groupby(labels).sum()
    assert made.to_dict() == wanted
    order = list(range(len(cells)))
    mix.shuffle(order)  # type: ignore[attr-defined]
    again = copies_of(
        *([part[i] for i in order] for part in (names, labels, groups)), wanted, balance, seed
    )
    assert np.array_equal(again, found[order])


def test_without_a_balance_groups_keep_their_proportions() -> None:
    names, groups = [str(n) for n in range(12)], ["a"] * 9 + ["b"] * 3
    found = copies_of(names, ["x"] * 12, groups, {"x": 48}, "none", 0)
    assert found.tolist() == [3] * 12


@settings(deadline=None)
@given(st.sets(st.text("a_1", min_size=1, max_size=6), min_size=1))
def test_no_copy_has_the_name_of_a_photo(stems: set[str]) -> None:
    mark = free_mark(stems)
    assert not {f"{stem}{mark}{n}" for stem in stems for n in (1, 11, 111)} & stems


@pytest.mark.parametrize(
    ("cell", "found"),
    [
        ("a/x.jpg", ["a/x.jpg"]),
        ("set/a/x.jpg", ["a/x.jpg"]),
        (r"c:\set\a\x.jpg", ["a/x.jpg"]),
        ("./a/x.jpg", ["a/x.jpg"]),
        ("y.png", ["b/y.png"]),
        ("y", ["b/y.png"]),
        ("b/y", ["b/y.png"]),
        ("a/y", []),
        ("x", ["a/x.jpg", "b/x.jpg"]),
        ("x.png", []),
        ("v1.5", ["v1.5.png"]),
        ("", []),
    ],
)
def test_what_a_cell_may_mean(cell: str, found: list[str]) -> None:
    names = PhotoPaths(Path("nowhere"), ["a/x.jpg", "b/x.jpg", "b/y.png", "v1.5.png"])
    assert names.choices(cell, bare=True) == found
