"""Classes of one photo: trained on and named, whatever the seed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from conftest import Result
from helpers import data_config, groups_straddle, labels_of_many, manifest_of, quick
from hypothesis import given
from hypothesis import strategies as st

from osprey.data.leakage import check_splits
from osprey.data.notices import guesses
from osprey.data.splits import assign_splits

LARGE = [name for name in "abcde" for _ in range(20)]
NAMED = (
    "15 classes of one photo, in train alone: s00, s01, s02, s03, s04 and 10 more (a split of your "
    "own, by folders or a column, puts them elsewhere)"
)
SMALL = [f"s{number:02d}" for number in range(15)]


@pytest.mark.parametrize("folds", [None, 5])
def test_classes_of_one_photo_are_trained_on_whatever_the_seed(folds: int | None) -> None:
    manifest = manifest_of([*LARGE, *SMALL])
    for seed in range(10):
        notices: list[str] = []
        config = data_config(split_seed=seed, folds=folds)
        done = assign_splits(manifest, config, notices)
        check_splits(done, config, [])  # refuses nothing
        splits = dict(zip(done.table["path"], done.table["split"], strict=True))
        assert {splits[path] for path in list(splits)[len(LARGE) :]} == {"train"}
        assert min(Counter(splits.values()).values()) >= 15
        assert notices == guesses(notices) == [NAMED]


def test_a_class_of_one_group_keeps_its_group_in_train() -> None:
    groups = [f"g{number // 4}" for number in range(len(LARGE))]
    manifest = manifest_of([*LARGE, "x", "x"], [*groups, "g0", "g0"])
    for seed in range(5):
        notices: list[str] = []
        done = assign_splits(manifest, data_config(split_seed=seed), notices)
        assert set(done.table["split"][done.table["group"] == "g0"]) == {"train"}
        assert not groups_straddle(done)
        assert notices == [
            "1 class of one group, in train alone: x (a split of your own, by folders or a column, "
            "puts them elsewhere)"
        ]


def test_a_given_split_is_the_user_s() -> None:
    splits = ["train", "val"] * 50 + ["test"]
    manifest = manifest_of([*LARGE, "x"], splits=splits)
    notices: list[str] = []
    done = assign_splits(manifest, data_config(), notices)
    assert done.table["split"].tolist() == splits and notices == []


@given(labels=labels_of_many, seed=st.integers(0, 99))
@quick
def test_no_cut_takes_the_last_of_a_class(labels: list[str], seed: int) -> None:
    labels = [*labels, *"abcdefgh" * 2]
    done = assign_splits(manifest_of(labels), data_config(split_seed=seed)).table
    assert set(done["label"][done["split"] == "train"]) == set(labels)


def test_split_writes_no_fold_for_what_stays_in_train(
    here: Path, photos: Path, osprey: Callable[..., Result]
) -> None:
    rows = [
        f"{path.relative_to(photos).as_posix()},{path.parent.name}"
        for path in photos.rglob("*.png")
    ]
    single = min(rows).split(",")[0]
    rows = [row for row in rows if not row.startswith(f"{single},")]
    (here / "t.csv").write_text("path,label\n" + "\n".join([*rows, f"{single},odd"]) + "\n")
    words = [f"data.root={photos}", "data.file=t.csv", "data.folds=3", "output=m.csv"]
    result = osprey("split", "data=table", *words)
    assert result.code == 0, result.err
    assert "note    1 class of one photo, in train alone: odd (" in result.out
    made = pd.read_csv(here / "m.csv", dtype=str, keep_default_na=False).set_index("path")
    assert made.loc[single, ["split", "fold"]].tolist() == ["train", ""]
    others = made.drop(index=single)
    assert set(others["fold"]) == {"0", "1", "2"}
    assert (others["split"][others["fold"] == "0"] == "test").all()
