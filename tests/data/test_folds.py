"""Folds and groups: each sample is held out once, together with all of its group."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from helpers import data_config, groups_straddle, labels_of_many, manifest_of, quick, splits_of
from hypothesis import given
from hypothesis import strategies as st

from osprey.data.folds import make_folds
from osprey.data.manifest import Manifest
from osprey.data.scarce import kept_in_train
from osprey.data.splits import assign_groups, assign_splits
from osprey.errors import DataError


def refusal(manifest: Manifest, **changes: object) -> str:
    with pytest.raises(DataError) as caught:
        assign_splits(manifest, data_config(**changes))
    return str(caught.value)


@given(
    labels=labels_of_many, count=st.integers(3, 6), grouped=st.booleans(), seed=st.integers(0, 99)
)
@quick
def test_each_sample_is_tested_once_and_validated_once(
    labels: list[str], count: int, grouped: bool, seed: int
) -> None:
    groups = [str(i % 11) for i in range(len(labels))] if grouped else None
    manifest = manifest_of(labels, groups)
    held: dict[str, Counter[str]] = {"test": Counter(), "val": Counter()}
    for fold in range(count):
        config = data_config(folds=count, fold=fold, split_seed=seed)
        done = assign_splits(manifest, config)
        assert not (grouped and groups_straddle(done))
        for name, seen in held.items():
            seen.update(done.split(name).table["path"])
    shared = manifest.table["path"][~kept_in_train(manifest)]
    for seen in held.values():
        assert seen == dict.fromkeys(shared, 1)


def test_folds_leave_a_given_test_split_alone() -> None:
    manifest = manifest_of(["a", "b"] * 10, splits=["train"] * 12 + ["val"] * 4 + ["test"] * 4)
    validated: Counter[str] = Counter()
    for fold in range(2):
        done = assign_splits(manifest, data_config(folds=2, fold=fold))
        assert splits_of(done)[16:] == ["test"] * 4
        validated.update(done.split("val").table["path"])
    assert validated == dict.fromkeys(manifest.table["path"][:16], 1)


def test_folds_deal_every_class_evenly() -> None:
    folds = make_folds(manifest_of(list("aaaaaaaaaabbbbb")), 5, seed=0)
    for name, wanted in (("a", 2), ("b", 1)):
        mine = folds[np.array(list("aaaaaaaaaabbbbb")) == name]
        assert np.bincount(mine, minlength=5).tolist() == [wanted] * 5


def test_more_folds_than_there_is_to_deal() -> None:
    assert refusal(manifest_of(["a", "b"]), folds=3) == "2 samples cannot be cut into 3 parts"
    four = manifest_of(["a", "b"] * 8, ["w", "x", "y", "z"] * 4)
    assert refusal(four, folds=5) == "4 groups cannot be cut into 5 parts"
    assert refusal(manifest_of(["a", "b"] * 9), folds=2) == (
        "data.folds=2 leaves nothing to train on: use 3, or give a test split"
    )


def test_classes_smaller_than_the_number_of_folds_go_somewhere() -> None:
    labels = [name for name in "abcdefgh" for _ in range(3)]
    folds = make_folds(manifest_of(labels, [str(i) for i in range(24)]), 6, seed=0)
    assert np.bincount(folds).tolist() == [4] * 6


# ---------------------------------------------------------------- groups


def grouped(by: str | None, *, paths: list[str], **more: list[str | None]) -> list[str]:
    manifest = manifest_of(["a"] * len(paths))
    manifest = Manifest(manifest.root, manifest.table.assign(path=paths, **more))
    return assign_groups(manifest, by).table["group"].tolist()


def test_groups_by_pattern_by_column_or_not_at_all() -> None:
    paths = ["boat1_a.png", "x/boat12_b.png"]
    assert grouped(r"(?P<group>boat\d+)_", paths=paths) == ["boat1", "boat12"]
    assert grouped("site", paths=paths, site=["s", "t"]) == ["s", "t"]
    assert grouped(None, paths=paths, group=["s", "t"]) == ["", ""]
    assert grouped("group", paths=paths) == ["", ""]  # tables need not have one


@pytest.mark.parametrize(
    ("group", "message"),
    [
        ("boot", "data.group: there is no column 'boot'; did you mean 'boat'?"),
        (
            "(?P<group>boat",
            "data.group: '(?P<group>boat' is not a regular expression "
            "(missing ), unterminated subpattern at position 0)",
        ),
        (
            "(?P<group>ship)",
            "data.group: '(?P<group>ship)' does not match 2 of 2 paths, first 'boat1.png'",
        ),
        (
            r"boat(?P<group>\d)?",
            r"data.group: 'boat.png' has no 'boat(?P<group>\d)?'; fill it in for every sample"
            " (data.missing=skip leaves those without out)",
        ),
        (
            "boat",
            "data.group: 'boat.png' has no 'boat'; fill it in for every sample"
            " (data.missing=skip leaves those without out)",
        ),
        (
            "group",
            "data.group: 'boat.png' has no 'group'; fill it in for every sample"
            " (data.missing=skip leaves those without out)",
        ),
    ],
)
def test_groups_that_cannot_be_told(group: str, message: str) -> None:
    paths, some = ["boat1.png", "boat.png"], ["1", None]
    with pytest.raises(DataError) as caught:
        grouped(group, paths=paths, boat=some, group=["1", ""])
    assert str(caught.value) == message


def test_far_from_any_column_the_columns_are_listed() -> None:
    with pytest.raises(DataError, match="there is no column 'zzz' \\(columns: path, split, label"):
        grouped("zzz", paths=["1.png"])
