"""Folders of photos as people have them: splits however they are called, never classes unsaid."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
from conftest import Result
from helpers import data_config
from hypothesis import given, settings
from hypothesis import strategies as st

from osprey.data.manifest import Manifest
from osprey.data.notices import Guess, guesses
from osprey.data.readers import read_manifest
from osprey.data.split_names import like_split
from osprey.errors import DataError

PHOTO = cv2.imencode(".png", np.zeros((8, 8, 3), np.uint8))[1].tobytes()


def make(root: Path, *names: str) -> Path:
    """Photos of the same bytes; a name that ends with a slash is an empty folder."""
    for name in names:
        path = root / name
        (path if name.endswith("/") else path.parent).mkdir(parents=True, exist_ok=True)
        if not name.endswith("/"):
            path.write_bytes(PHOTO)
    return root


def read(root: Path, **changes: object) -> tuple[set[tuple[str, str, str]], list[str]]:
    """Path, split and label of each photo, and the notices."""
    notices: list[str] = []
    reader = str(changes.pop("reader", "folder"))
    table = read_manifest(data_config(root, reader, **changes), notices).table
    return set(table[["path", "split", "label"]].itertuples(index=False, name=None)), notices


def refusal(root: Path, **changes: object) -> str:
    with pytest.raises(DataError) as caught:
        read(root, **changes)
    return str(caught.value).replace(str(root), "ROOT")


@pytest.mark.parametrize(
    ("first", "second", "splits"),
    [
        ("train_images", "val_images", ("train", "val")),
        ("train2017", "val2017", ("train", "val")),
        ("Training set", "Test set", ("train", "test")),
        ("trainset", "testset", ("train", "test")),
        ("seg_train", "seg_test", ("train", "test")),
    ],
)
def test_folders_called_like_splits_are_splits(
    tmp_path: Path, first: str, second: str, splits: tuple[str, str]
) -> None:
    make(tmp_path, f"{first}/cat/1.png", f"{first}/dog/2.png", f"{second}/cat/3.png")
    found, notices = read(tmp_path)
    assert found == {
        (f"{first}/cat/1.png", splits[0], "cat"),
        (f"{first}/dog/2.png", splits[0], "dog"),
        (f"{second}/cat/3.png", splits[1], "cat"),
    }
    said = sorted([(first, splits[0]), (second, splits[1])])
    names = ", ".join(f"'{name}' as {split}" for name, split in said)
    none = ", ".join(f"{name}: none" for name, _ in said)
    line = f"folders taken as splits: {names} (data.split_names='{{{none}}}' takes them as classes)"
    assert notices == guesses(notices) == [line]
    as_classes, _ = read(tmp_path, split_names={first: "none", second: "none"})
    assert {(split, label) for _, split, label in as_classes} == {("", first), ("", second)}


def test_what_may_be_a_split_or_a_class_is_asked(tmp_path: Path) -> None:
    flat = make(tmp_path / "flat", "train_images/1.png", "val_images/2.png")
    assert refusal(flat) == (
        "'train_images', 'val_images' look like splits, and have no class folders in them: put the "
        "photos of each class into a folder of its own, give a table with data=table "
        "data.file=labels.csv, or take them for classes with "
        "data.split_names='{train_images: none, val_images: none}'"
    )
    one = make(tmp_path / "one", "train_images/cat/1.png", "dog/2.png")
    assert refusal(one) == (
        "'train_images' may be a split or a class beside 'dog': say which, "
        "data.split_names='{train_images: train}' or data.split_names='{train_images: none}'"
    )
    found, notices = read(one, split_names={"train_images": "train"})
    assert found == {("train_images/cat/1.png", "train", "cat")}
    assert notices == ["left out, neither train, val nor test: dog"]
    vehicles = make(tmp_path / "vehicles", "train/1.png", "bus/2.png", "car/3.png")
    assert refusal(vehicles) == (
        "'train' may be a split without class folders, or a class beside 'bus', 'car': "
        "data.split_names='{train: none}' takes it for a class; for splits put the photos of each "
        "class into a folder of its own"
    )
    found, _ = read(vehicles, split_names={"train": "none"})
    assert {label for _, _, label in found} == {"train", "bus", "car"}
    assert refusal(vehicles, split_names={"train": "trian"}) == (
        "data.split_names: 'train' means 'trian', which is not train, val, test or none; did you "
        "mean 'train'?"
    )


@given(st.sampled_from(["train", "Val", "TEST", "validation"]), st.sampled_from("_- "), st.data())
@settings(deadline=None)
def test_a_split_is_known_beside_common_words_alone(
    name: str, mark: str, data: st.DataObject
) -> None:
    word = data.draw(st.sampled_from(["images", "set", "2017", "data", "01"]))
    split = {"train": "train", "val": "val", "test": "test", "validation": "val"}[name.lower()]
    assert like_split(f"{name}{mark}{word}") == like_split(f"{word}{mark}{name}") == split
    assert like_split(f"{name}{mark}shoes") is None
    assert like_split(f"{name}{mark}{word}{mark}of{mark}cats") is None


def test_names_of_splits_on_a_command_line(
    here: Path, tmp_path: Path, osprey: Callable[..., Result]
) -> None:
    root = make(tmp_path / "set", "My part/cat/1.png", "My part/dog/2.png", "0/cat/3.png")
    words = [f"data.root={root}", "data.split_names={My part: train, 0: val}"]
    result = osprey("split", "data=folder", *words, "data.check_files=false", "output=m.csv")
    assert result.code == 0, result.err
    made = pd.read_csv(here / "m.csv", dtype=str, keep_default_na=False)
    assert made["split"].tolist() == ["val", "train", "train"]


def test_a_split_within_its_own_folder(tmp_path: Path) -> None:
    make(tmp_path, "train/train/cat/1.png", "train/train/dog/2.png", "val/images/cat/3.png")
    found, notices = read(tmp_path)
    assert found == {
        ("train/train/cat/1.png", "train", "cat"),
        ("train/train/dog/2.png", "train", "dog"),
        ("val/images/cat/3.png", "val", "cat"),
    }
    assert guesses(notices) == [
        "class folders of train read from 'train/train'",
        "class folders of val read from 'val/images'",
    ]
    # A class with folders of its own in it is no second name of the split.
    deep = make(tmp_path / "deep", "train/cat/day1/1.png", "val/cat/day1/2.png")
    assert {label for _, _, label in read(deep)[0]} == {"cat"}


def test_a_root_that_is_one_folder_too_high(tmp_path: Path) -> None:
    make(tmp_path, "my set/train/cat/1.png", "my set/val/dog/2.png")
    manifest = read_manifest(data_config(tmp_path), [])
    with pytest.raises(DataError) as caught:
        manifest.target.check_classes(manifest)
    assert str(caught.value).replace(str(tmp_path), "ROOT") == (
        "only one class, 'my set', in 'ROOT', with folders 'train' and 'val' in it: is data.root "
        "one folder too high? data.root='ROOT/my set'"
    )


def test_empty_class_folders_are_named(tmp_path: Path) -> None:
    make(tmp_path, "cat/1.png", "dog/2.png", "eel/", "fox/deeper/")
    assert read(tmp_path)[1] == ["left out, class folders without a photo: 'eel', 'fox'"]


def test_labels_in_the_names_of_photos(tmp_path: Path) -> None:
    make(tmp_path, "P1.jpg", "NP1.jpg", "more/NP2.jpg")
    pattern = r"(?P<label>NP|P)\d+"
    assert read(tmp_path, label=pattern) == (
        {("P1.jpg", "", "P"), ("NP1.jpg", "", "NP"), ("more/NP2.jpg", "", "NP")},
        [],
    )
    assert refusal(tmp_path, label=r"(?P<label>NP)\d") == (
        "data.label: '(?P<label>NP)\\d' does not match 1 of 3 paths, first 'P1.jpg'"
    )
    assert refusal(tmp_path, label="label") == (
        "data.label: 'label' has no '(?P<label>...)' in it, round what is the label"
    )
    assert refusal(tmp_path, reader="voc", label=pattern) == (
        "data.label: data.reader=voc does not look at it: leave it out, or choose "
        "data.reader=folder (or table)"
    )
    make(tmp_path / "given", "train/P1.jpg", "val/NP1.jpg")
    assert read(tmp_path / "given", label=pattern)[0] == {
        ("train/P1.jpg", "train", "P"),
        ("val/NP1.jpg", "val", "NP"),
    }
    (tmp_path / "t.csv").write_text("path\nP1.jpg\nmore/NP2.jpg\n")
    found, _ = read(tmp_path, reader="table", file="t.csv", label=pattern)
    assert found == {("P1.jpg", "", "P"), ("more/NP2.jpg", "", "NP")}


def test_class_folders_that_differ_by_case_alone(tmp_path: Path) -> None:
    make(tmp_path, "train/ALB/1.png", "train/YFT/2.png", "val/Alb/3.png")
    assert refusal(tmp_path) == (
        "classes 'ALB' (n=1) and 'Alb' (n=1) differ in capitals alone: data.case=merge makes them "
        "one, data.case=keep leaves them apart"
    )
    assert {label for _, _, label in read(tmp_path, case="merge")[0]} == {"ALB", "YFT"}


# ---------------------------------------------------------------- tables


def table(root: Path, text: str, **changes: object) -> tuple[Manifest, list[str]]:
    (make(root, "1.png", "2.png", "3.png") / "t.csv").write_text(text)
    notices: list[str] = []
    return read_manifest(data_config(root, "table", file="t.csv", **changes), notices), notices


def test_a_column_of_splits_in_other_words(tmp_path: Path) -> None:
    text = "path,label,split\n1.png,a,{}\n2.png,b,{}\n3.png,b,{}\n"
    made, _ = table(tmp_path, text.format("train ", "Training set", "validation"))
    assert made.table["split"].tolist() == ["train", "train", "val"]
    said = {"0": "train", "1": "test", "x": "none"}
    made, _ = table(tmp_path, text.format("0", "1", "x"), split_names=said)
    assert made.table["split"].tolist() == ["train", "test", ""]
    with pytest.raises(DataError, match="unknown split 'x'; use train, val or test, or say what"):
        table(tmp_path, text.format("0", "1", "x"), split_names={"0": "train", "1": "test"})


def test_weights_are_named_and_asked_about_where_they_are_not_near_1(tmp_path: Path) -> None:
    text = "path,label,weight\n1.png,a,{}\n2.png,b,{}\n3.png,b,{}\n"
    made, notices = table(tmp_path, text.format(0.5, 1, 2))
    assert made.table["weight"].tolist() == [0.5, 1, 2]
    assert guesses(notices) == [
        "photos weigh in the loss as column 'weight' says: 0.5 to 2, mean 1.17 "
        "(data.weights=ignore leaves it out)"
    ]
    assert table(tmp_path, text.format(1, "", 1.0))[1] == []
    kilograms = text.format(12.5, 80, 31)
    with pytest.raises(DataError) as caught:
        table(tmp_path, kilograms)
    assert str(caught.value).replace(str(tmp_path), "ROOT") == (
        "'ROOT/t.csv': its column 'weight' would weigh photos in the loss, and its numbers are not "
        "near 1 (12.5 to 80, mean 41.2): data.weights=ignore leaves it out, data.weights=use takes "
        "it"
    )
    assert table(tmp_path, kilograms, weights="ignore")[0].table["weight"].tolist() == [1, 1, 1]
    assert table(tmp_path, kilograms, weights="use")[0].table["weight"].tolist() == [12.5, 80, 31]


@pytest.mark.parametrize("form", ["table", "coco"])
def test_a_name_that_matches_after_normalisation_opens_the_file_on_the_disk(
    tmp_path: Path, form: str
) -> None:
    composed, apart = (unicodedata.normalize(n, "thé.png") for n in ("NFC", "NFD"))
    make(tmp_path, apart)
    if form == "table":
        (tmp_path / "t.csv").write_text(f"path,label\n{composed},a\n", encoding="utf-8")
    else:
        content = {
            "images": [{"id": 1, "file_name": composed, "width": 8, "height": 8}],
            "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "bbox": [1, 1, 4, 4]}],
            "categories": [{"id": 1, "name": "cup"}],
        }
        (tmp_path / "t.csv").write_text(json.dumps(content))
    notices: list[str] = []
    made = read_manifest(data_config(tmp_path, form, file="t.csv"), notices)
    assert made.table["path"].tolist() == [apart] and (tmp_path / apart).is_file()
    assert guesses(notices) == [
        f"found by the end of their path: 1 photo such as '{composed}', taken for '{apart}'"
    ]
    assert isinstance(notices[0], Guess)
