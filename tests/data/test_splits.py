"""Splits: one for every sample, stratified, and never through the middle of a group."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest
from helpers import (
    data_config,
    groups_straddle,
    labels_of_many,
    manifest_of,
    quick,
    splits_of,
    train_config,
)
from hypothesis import assume, given
from hypothesis import strategies as st

from osprey.config.validate import validate
from osprey.data.copies import CONTENT
from osprey.data.leakage import check_splits
from osprey.data.manifest import Manifest
from osprey.data.splits import assign_splits
from osprey.errors import ConfigError, DataError


def refusal(manifest: Manifest, **changes: object) -> str:
    config = data_config(**changes)
    with pytest.raises(DataError) as caught:
        check_splits(assign_splits(manifest, config), config, [])
    return str(caught.value)


# ---------------------------------------------------------------- automatic splits


@given(labels=labels_of_many, seed=st.integers(0, 2**32 - 2))
@quick
def test_every_sample_gets_one_split_of_about_the_size_asked(labels: list[str], seed: int) -> None:
    manifest = manifest_of(labels)
    done = assign_splits(manifest, data_config(split_seed=seed))
    assert done.table["path"].tolist() == manifest.table["path"].tolist()
    shares = {name: n / len(labels) for name, n in Counter(splits_of(done)).items()}
    assert set(shares) == {"train", "val", "test"}
    assert shares["val"] == pytest.approx(0.15, abs=0.05)
    assert shares["test"] == pytest.approx(0.15, abs=0.05)


@given(
    val=st.floats(0.05, 0.5), test=st.floats(0.05, 0.4), seed=st.integers(0, 1000)
)  # fmt: skip
@quick
def test_fractions_hold_in_each_class(val: float, test: float, seed: int) -> None:
    sizes = {"common": 400, "fair": 200, "rare": 100}
    manifest = manifest_of([name for name, n in sizes.items() for _ in range(n)])
    config = data_config(val_fraction=val, test_fraction=test, split_seed=seed)
    counts = assign_splits(manifest, config).counts()
    for name, size in sizes.items():
        assert counts["val"][name] / size == pytest.approx(val, abs=0.06)
        assert counts["test"][name] / size == pytest.approx(test, abs=0.06)


@given(
    sizes=st.lists(st.integers(1, 12), min_size=3, max_size=25),
    fraction=st.floats(0.05, 0.2), seed=st.integers(0, 1000), data=st.data(),
)  # fmt: skip
@quick
def test_groups_never_straddle(
    sizes: list[int], fraction: float, seed: int, data: st.DataObject
) -> None:
    groups = [f"boat {i}" for i, size in enumerate(sizes) for _ in range(size)]
    letters = "abcdef"
    drawn = st.lists(st.sampled_from(letters), min_size=len(groups), max_size=len(groups))
    # Four more with every class, so that no class is of one boat alone and stays in train.
    labels = [*data.draw(drawn), *letters * 4]
    groups += [f"large boat {i}" for i in range(4) for _ in letters]
    config = data_config(split_seed=seed, val_fraction=fraction, test_fraction=fraction)
    done = assign_splits(manifest_of(labels, groups), config)
    assert set(splits_of(done)) == {"train", "val", "test"}
    assert not groups_straddle(done)


@given(labels=labels_of_many, seed=st.integers(0, 1000), grouped=st.booleans())
@quick
def test_a_seed_gives_the_same_split_again(labels: list[str], seed: int, grouped: bool) -> None:
    groups = [str(i // 3) for i in range(len(labels))] if grouped else None
    manifest, config = manifest_of(labels, groups), data_config(split_seed=seed)
    first, second = (splits_of(assign_splits(manifest, config)) for _ in range(2))
    assert first == second


def test_another_seed_gives_another_split() -> None:
    manifest = manifest_of(["a", "b"] * 50)
    some = {tuple(splits_of(assign_splits(manifest, data_config(split_seed=s)))) for s in range(5)}
    assert len(some) == 5


def test_no_test_split_where_none_is_asked_for() -> None:
    done = assign_splits(manifest_of(["a", "b"] * 20), data_config(test_fraction=0.0))
    assert set(splits_of(done)) == {"train", "val"}


def test_fractions_that_leave_nothing_to_train_on() -> None:
    fractions = ("data.val_fraction=0.6", "data.test_fraction=0.4")
    config = train_config("data=folder", "data.root=x", *fractions)
    with pytest.raises(ConfigError) as caught:
        validate(config)
    told = "data.val_fraction and data.test_fraction leave nothing to train on"
    assert str(caught.value) == told


def test_too_little_to_cut() -> None:
    assert refusal(manifest_of(["a"])) == (
        "cannot cut a test split: only 1 sample left for training"
    )
    assert refusal(manifest_of(["a", "b"] * 9, ["x", "y"] * 9)) == (
        "cannot cut a val split: only 1 group left for training"
    )


def test_copies_of_one_photo_cannot_be_cut() -> None:
    manifest = manifest_of(["a", "b"] * 9)
    same = manifest.table.assign(**{CONTENT: "one"})
    assert refusal(replace(manifest, table=same)) == (
        "cannot cut a test split: the 18 photos left for training are copies of one, which stay "
        "together"
    )


def test_the_last_free_boat_validates_where_train_still_shows_every_class() -> None:
    boats = ["1", "2", "2", "3", "3"]  # b is of boat 3 alone, which therefore stays in train
    done = assign_splits(manifest_of(list("aaaab"), boats), data_config(split_seed=0))
    assert [splits_of(done)[i] for i in (3, 4)] == ["train", "train"]
    assert {splits_of(done)[0], splits_of(done)[1]} == {"val", "test"}


# ---------------------------------------------------------------- given splits


@given(
    splits=st.lists(st.sampled_from(["train", "val", "test"]), min_size=3, max_size=40),
    val=st.floats(0, 0.5),
)  # fmt: skip
@quick
def test_given_splits_are_kept(splits: list[str], val: float) -> None:
    assume({"train", "val"} <= set(splits))
    manifest = manifest_of(["a"] * len(splits), splits=splits)
    assert splits_of(assign_splits(manifest, data_config(val_fraction=val))) == splits


def test_what_is_missing_is_cut_from_train() -> None:
    splits = ["train"] * 40 + ["test"] * 10
    done = assign_splits(manifest_of(["a", "b"] * 25, splits=splits), data_config(val_fraction=0.2))
    assert splits_of(done)[40:] == ["test"] * 10
    assert Counter(splits_of(done)) == {"train": 30, "val": 10, "test": 10}


def test_samples_without_a_split_do_not_undo_the_others() -> None:
    splits = [""] * 80 + ["test"] * 20
    done = assign_splits(manifest_of(["a", "b"] * 50, splits=splits), data_config())
    assert splits_of(done)[80:] == ["test"] * 20
    assert set(splits_of(done)[:80]) == {"train", "val"}


def test_given_splits_are_set_aside_where_asked() -> None:
    manifest = manifest_of(["a", "b"] * 30, splits=["train"] * 59 + ["val"])
    done = assign_splits(manifest, data_config(given_split=False))
    assert Counter(splits_of(done))["val"] > 5


def test_no_validation_split() -> None:
    manifest = manifest_of(["a", "b"] * 12, splits=["train"] * 20 + ["test"] * 4)
    notices: list[str] = []
    done = assign_splits(manifest, data_config(), notices)
    assert notices == ["no validation split: 15% cut from train"]
    assert Counter(splits_of(done)) == {"train": 16, "val": 4, "test": 4}
    assert splits_of(done)[20:] == ["test"] * 4
    assert refusal(manifest, val_fraction=0.0) == (
        "no validation split in 'photos', and data.val_fraction=0 cuts none: give a fraction such "
        "as 0.15"
    )
    only_val = manifest_of(["a", "b"], splits=["val", "val"])
    assert refusal(only_val) == "no 'train' samples in 'photos'"


# ---------------------------------------------------------------- what cannot be trained honestly


def test_one_class() -> None:
    assert refusal(manifest_of(["photos"] * 20)) == (
        "only one class, 'photos', in 'photos': a classifier needs two; "
        "is data.root one folder too deep?"
    )


def test_a_class_that_train_lacks() -> None:
    manifest = manifest_of(list("aabbcc"), splits=["train", "val", "train", "val", "val", "test"])
    assert refusal(manifest) == (
        "class 'c' has no photo in train (1 in val, 1 in test): move some there, "
        "or leave it out with data.classes=[...]"
    )


def test_a_leak_is_refused_by_name_and_allowed_on_demand() -> None:
    groups = [f"site {i // 3}" for i in range(21)] + ["clean"]
    splits = ["train", "val", "test"] * 7 + ["train"]
    manifest = manifest_of(["a", "b"] * 11, groups, splits)
    line = (
        "7 of 8 groups straddle splits: "
        + ", ".join(f"site {i} (train+val+test)" for i in range(5))
        + " and 2 more"
    )
    assert refusal(manifest) == (
        f"{line}; split by group with data.given_split=false, "
        "or accept flattering figures with data.allow_leakage=true"
    )
    notices: list[str] = []
    check_splits(manifest, data_config(allow_leakage=True), notices)
    assert notices == [f"leaky split: {line}"]
    config = data_config(given_split=False)
    mended = assign_splits(manifest, config)
    check_splits(mended, config, notices)
    assert not groups_straddle(mended)
