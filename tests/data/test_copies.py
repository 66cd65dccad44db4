"""Exact copies of a photo: on one side of every split, however it is cut; contradictions named."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from helpers import data_config, groups_straddle, manifest_of, quick, splits_of, write_photo
from hypothesis import given
from hypothesis import strategies as st

from osprey.data.copies import joined_groups, report_copies, resolve_conflicts, with_content
from osprey.data.folds import make_folds
from osprey.data.manifest import Manifest
from osprey.data.prepare import prepare
from osprey.data.splits import assign_splits
from osprey.errors import DataError

# Of each photo its label, its boat, and the split that it was given.
photos = st.lists(
    st.tuples(st.sampled_from("ab"), st.integers(0, 30), st.sampled_from(["", "train", "test"])),
    min_size=40,
    max_size=90,
)


def with_copies(manifest: Manifest, contents: list[int]) -> Manifest:
    """The manifest of photos whose bytes are the same where their numbers are."""
    digests = [hashlib.sha256(str(number).encode()).digest() for number in contents]
    return with_content(manifest, np.frombuffer(b"".join(digests), np.uint8).reshape(-1, 32))


def sides(manifest: Manifest) -> pd.Series[int]:
    """In how many splits each photo is."""
    return manifest.table.groupby("sha256")["split"].nunique()


# ---------------------------------------------------------------- splits


@given(rows=photos, copies=st.lists(st.integers(0, 39), max_size=30), seed=st.integers(0, 999),
       grouped=st.booleans(), folds=st.sampled_from([None, 4]))  # fmt: skip
@quick
def test_copies_are_never_on_two_sides(
    rows: list[tuple[str, int, str]], copies: list[int], seed: int, grouped: bool, folds: int | None
) -> None:
    labels = [label for label, _, _ in rows] + [rows[i][0] for i in copies]
    boats = [f"boat {boat}" for _, boat, _ in rows] + [f"copy {i % 7}" for i in copies]
    contents = [*range(len(rows)), *copies]
    manifest = with_copies(manifest_of(labels, boats if grouped else None), contents)
    if grouped and len(set(joined_groups(manifest))) < 6:
        return
    config = data_config(split_seed=seed, folds=folds)
    done = assign_splits(manifest, config)
    assert set(splits_of(done)) == {"train", "val", "test"}
    assert sides(done).max() == 1
    assert not (grouped and groups_straddle(done))
    assert splits_of(assign_splits(manifest, config)) == splits_of(done), "the same every time"


@given(rows=photos, copies=st.lists(st.integers(0, 39), max_size=30), seed=st.integers(0, 999))
@quick
def test_photos_without_a_split_join_their_copies(
    rows: list[tuple[str, int, str]], copies: list[int], seed: int
) -> None:
    manifest = manifest_of(
        [label for label, _, _ in rows] + [rows[i][0] for i in copies],
        splits=[split for _, _, split in rows] + [""] * len(copies),
    )
    manifest = with_copies(manifest, [*range(len(rows)), *copies])
    done = assign_splits(manifest, data_config(split_seed=seed))
    assert sides(done).max() == 1
    asked = manifest.table["split"]
    assert (done.table["split"][asked == "test"] == "test").all()


@given(rows=photos, seed=st.integers(0, 999), grouped=st.booleans())
@quick
def test_where_all_photos_differ_nothing_changes(
    rows: list[tuple[str, int, str]], seed: int, grouped: bool
) -> None:
    boats = [f"boat {i % 11}" for i in range(len(rows))]
    manifest = manifest_of([label for label, _, _ in rows], boats if grouped else None)
    config = data_config(split_seed=seed)
    known = with_copies(manifest, list(range(len(rows))))
    assert splits_of(assign_splits(known, config)) == splits_of(assign_splits(manifest, config))


def test_groups_with_a_photo_in_common_are_one() -> None:
    manifest = manifest_of(list("aaaaaaa"), ["x", "y", "z", "y", "u", "v", "x"])
    joined = joined_groups(with_copies(manifest, [0, 1, 1, 2, 3, 4, 5]))
    assert joined.tolist() == ["x", "y", "y", "y", "u", "v", "x"]
    chain = joined_groups(with_copies(manifest, [0, 0, 1, 1, 2, 3, 4]))
    assert chain.tolist() == ["x", "x", "x", "x", "u", "v", "x"]


def test_too_few_photos_that_differ() -> None:
    manifest = with_copies(manifest_of(list("abab")), [0, 1, 0, 1])
    with pytest.raises(DataError, match="2 samples cannot be cut into 3 parts"):
        make_folds(manifest, 3, seed=0)


# ---------------------------------------------------------------- what is told


def told(splits: list[str], contents: list[int]) -> list[str]:
    notices: list[str] = []
    manifest = manifest_of(["a"] * len(splits), splits=splits)
    report_copies(with_copies(manifest, contents), notices)
    return notices


def test_what_is_told_of_copies() -> None:
    assert told(["train", "val", "test"], [0, 1, 2]) == []
    assert told(["train", "train", "test"], [0, 0, 2]) == [
        "1 photo is an exact copy of another, first '0.png' = '1.png': copies share a split"
    ]
    assert told(["train", "test", "train", "test", "test"], [0, 1, 0, 1, 1]) == [
        "3 photos are exact copies of others, first '0.png' = '2.png': copies share a split"
    ]
    assert told(["train", "train", "val", "test", "test"], [0, 1, 0, 1, 4]) == [
        "leaky split: 2 photos of val or test are also in another split, byte for byte, first "
        "'0.png' (train) = '2.png' (val): figures will flatter; delete the copies, or cut a clean "
        "split with data.given_split=false"
    ]


# ---------------------------------------------------------------- one photo, two labels


def torn(labels: str, contents: list[int]) -> Manifest:
    return with_copies(manifest_of(list(labels)), contents)


def test_one_photo_under_two_labels_is_refused() -> None:
    with pytest.raises(DataError) as caught:
        resolve_conflicts(torn("aabb", [0, 1, 0, 3]), "refuse", [])
    assert str(caught.value) == (
        "1 photo is under more than one label, byte for byte: '0.png' (a) = '2.png' (b); correct "
        "the labels, leave all of them out with data.conflicts=drop, or train on them as they are "
        "with data.conflicts=keep"
    )
    with pytest.raises(DataError) as caught:
        resolve_conflicts(torn("abababab", [0, 0, 1, 1, 2, 2, 3, 3]), "refuse", [])
    assert str(caught.value).startswith(
        "4 photos are under more than one label, byte for byte: '0.png' (a) = '1.png' (b), "
        "'2.png' (a) = '3.png' (b), '4.png' (a) = '5.png' (b) and 1 more; correct "
    )


def test_conflicts_dropped_or_kept() -> None:
    manifest, notices = torn("aacbb", [0, 1, 0, 3, 4]), []
    kept = resolve_conflicts(manifest, "keep", notices)
    assert kept is manifest
    what = "1 photo is under more than one label, byte for byte"
    assert notices == [f"{what}, kept (2 files): '0.png' (a) = '2.png' (c)"]
    notices.clear()
    dropped = resolve_conflicts(manifest, "drop", notices)
    assert dropped.table["path"].tolist() == ["1.png", "3.png", "4.png"]
    assert notices == [
        f"left out, {what} (2 files): '0.png' (a) = '2.png' (c)",
        "classes lost, all of their photos have another label: c",
    ]


def test_copies_of_one_label_and_boxes_contradict_nothing() -> None:
    same = torn("aabb", [0, 0, 1, 1])
    assert resolve_conflicts(same, "refuse", []) is same
    boxes = ['[["cod", 0, 0, 2, 2]]', '[["eel", 0, 0, 2, 2]]']
    table = same.table.assign(width=8, height=8, boxes=[boxes[0], boxes[1], *boxes])
    boxed = replace(same, table=table.assign(label=["cod", "eel", "cod", "eel"]))
    assert resolve_conflicts(boxed, "refuse", []) is boxed


def test_a_column_of_digests_in_the_users_own_table_is_not_believed(tmp_path: Path) -> None:
    rows = ["path,label,sha256"]
    for number in range(20):
        write_photo(tmp_path / "set" / f"{number}.png", level=10 * number)
        rows.append(f"{number}.png,{'ab'[number % 2]},{'0' * 64}")
    (tmp_path / "t.csv").write_text("\n".join(rows))
    for checked in (True, False):
        config = data_config(
            tmp_path / "set", "table", file=str(tmp_path / "t.csv"), check_files=checked
        )
        prepared = prepare(config, tmp_path / "cache")
        assert prepared.notices == []
        if checked:
            assert prepared.manifest.table["sha256"].nunique() == 20
        else:
            assert "sha256" not in prepared.manifest.table
