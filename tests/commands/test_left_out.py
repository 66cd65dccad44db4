"""What a command met and did not use is counted, named, and fails ``--strict``."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import TINY, Result, as_anybody, make_photos, only_run

Call = Callable[..., Result]


@pytest.fixture
def locked(here: Path, trained: Path) -> Path:
    """Photos of three classes, one of whose folders cannot be opened."""
    shutil.copytree(trained / "runs", here / "runs")
    photos = make_photos(here / "photos", per_class=12)
    (photos / "red").chmod(0)
    yield photos
    (photos / "red").chmod(0o755)


@pytest.mark.slow
def test_a_closed_folder(locked: Path, here: Path) -> None:
    line = f"left out, cannot be opened: 1 folder such as '{locked}/red' (Permission denied)"
    words: list[str | Path] = ["predict", "--folder", locked, "--output", "o.csv"]
    done = as_anybody(words, here)
    assert done.code == 0 and line in done.err
    done = as_anybody([*words, "--strict"], here)
    assert done.code == 1 and line in done.err
    with (here / "o.csv").open(newline="") as file:
        assert len(list(csv.DictReader(file))) == 24
    done = as_anybody(["train", "data=folder", f"data.root={locked}", *TINY], here)
    assert done.code == 0, done.err
    assert line in done.out


def test_photos_of_another_form(here: Path, trained: Path, photos: Path, osprey: Call) -> None:
    shutil.copytree(trained / "runs", here / "runs")
    shutil.copytree(photos, here / "inbox")
    for name in ("IMG_1.JXL", "IMG_2.JXL", "notes.txt", "Thumbs.db", ".hidden"):
        (here / "inbox" / name).write_bytes(b"x")
    words = ("predict", "--folder", "inbox", "--output", "o.json")
    result = osprey(*words)
    assert result.code == 0
    assert result.err.startswith(
        "left out, JXL cannot be read: 2 photos such as 'inbox/IMG_1.JXL'; save them as JPEG\n"
        "left out, not photos: 1 file such as 'inbox/notes.txt'\n"
    )
    assert osprey(*words, "--strict").code == 1
    assert len(json.loads((here / "o.json").read_text())) == 36
    for name in ("IMG_1.JXL", "IMG_2.JXL", "notes.txt"):
        (here / "inbox" / name).unlink()
    assert osprey(*words, "--strict").code == 0


def write_splits(table: Path, names: list[str], splits: list[str]) -> None:
    """Photos in class folders as a table with a split each, which may be empty."""
    with table.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["path", "label", "split"])
        writer.writerows((n, n.split("/")[0], s) for n, s in zip(names, splits, strict=True))


def test_rows_without_a_split_and_classes_never_tested(
    here: Path, photos: Path, osprey: Call
) -> None:
    names = sorted(path.relative_to(photos).as_posix() for path in photos.rglob("*.png"))
    splits = ["test" if "_1" in name and "red" in name else "" for name in names]
    write_splits(here / "labels.csv", names, splits)
    words = ["train", "data=table", f"data.root={photos}", "data.file=labels.csv", *TINY]
    result = osprey(*words)
    assert result.code == 0, result.err
    assert "34 of 36 photos have no split beside those that do: train\n" in result.out
    assert "never tested, too few for a share in test: blue, green\n" in result.out


@pytest.mark.parametrize("given", [("train",), ("train", "val"), ("train", "test"), ("val",)])
def test_a_given_split_is_kept_beside_empty_cells(
    here: Path, photos: Path, osprey: Call, given: tuple[str, ...]
) -> None:
    """What has a split keeps it but for a val split that has to be cut, and that is told."""
    names = sorted(path.relative_to(photos).as_posix() for path in photos.rglob("*.png"))
    splits = [given[n % len(given)] if n % 3 else "" for n in range(len(names))]
    write_splits(here / "labels.csv", names, splits)
    words = ["train", "data=table", f"data.root={photos}", "data.file=labels.csv", *TINY]
    result = osprey(*words)
    assert result.code == 0, result.err
    with (only_run(here) / "manifest.csv").open(newline="") as file:
        found = {row["path"]: row["split"] for row in csv.DictReader(file)}
    cut = "val" not in given
    assert ("no validation split: 15% cut from train\n" in result.out) == cut
    no_test = "no test split is given, and none is cut: data.test_fraction=0.15 cuts one\n"
    assert (no_test in result.out) == ("test" not in given)
    for name, split in zip(names, splits, strict=True):
        allowed = {"train", "val"} if cut and split in ("", "train") else {split or "train"}
        assert found[name] in allowed, name
    assert ("test" in found.values()) == ("test" in given)


def test_crops_of_photos_in_one_folder_have_no_label(
    here: Path, detector: Path, osprey: Call
) -> None:
    shutil.copytree(detector / "runs", here / "runs")
    photos = here / "set" / "images"
    photos.mkdir(parents=True)
    for photo in sorted((detector / "harbour").rglob("*.jpg"))[:3]:
        shutil.copy(photo, photos)
    words = ("crop", "--input_folder", "set", "--output_folder", "crops", "--run", only_run(here))
    result = osprey(*words, "--min_score", "0")
    assert result.code == 0, result.err
    with (here / "crops" / "manifest.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert rows and {row["label"] for row in rows} == {""}
