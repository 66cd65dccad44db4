"""Crops: every subject found, its photo's label, a stop and a second start, the input untouched."""

from __future__ import annotations

import csv
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from conftest import Result, only_run
from hypothesis import given
from hypothesis import strategies as st

from osprey.data.naming import unique_stems
from osprey.imaging.cropping import cut
from osprey.training.detecting.cropper import Cropper
from osprey.training.detecting.predictor import BoxPredictor


@pytest.fixture
def folder(detector: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    os.symlink(detector / "runs", tmp_path / "runs")
    return tmp_path


@pytest.fixture
def given_folder(detector: Path, tmp_path: Path) -> Path:
    """Photos in class folders under a split, one unreadable, one enlarged beyond the input."""
    found = sorted((detector / "harbour" / "images").rglob("*.jpg"))[:6]
    root = tmp_path / "photos"
    for number, photo in enumerate(found):
        target = root / "train" / ("cod" if number % 2 else "tuna") / f"p{number}.jpg"
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(photo, target)
    large = cv2.resize(cv2.imread(str(found[0])), (800, 600))
    cv2.imwrite(str(root / "train" / "cod" / "large.jpg"), large)
    (root / "train" / "cod" / "cut.jpg").write_bytes(found[0].read_bytes()[:600])
    return root


@pytest.fixture
def between(folder: Path, given_folder: Path) -> float:
    """A score that some photos reach and others do not."""
    best = only_run(folder) / "checkpoints" / "best.ckpt"
    photos = sorted(given_folder.rglob("p*.jpg"))
    found = [p.detections for p in BoxPredictor(best, min_score=0.0).predict(photos)]
    highest = sorted(float(d.scores.max()) for d in found if d is not None)
    assert highest[2] < highest[3]
    return (highest[2] + highest[3]) / 2


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def contents(root: Path) -> dict[str, bytes]:
    return {str(p.relative_to(root)): p.read_bytes() for p in root.rglob("*") if p.is_file()}


Crop = Callable[..., Result]


@pytest.fixture
def crop(given_folder: Path, between: float, osprey) -> Crop:  # type: ignore[no-untyped-def]
    def call(out: str, *more: Any) -> Result:
        words = ("--input_folder", given_folder, "--output_folder", out, "--min_score", between)
        result: Result = osprey("crop", *words, *more)
        return result

    return call


def test_every_subject_is_cut_out(folder: Path, given_folder: Path, crop: Crop) -> None:
    before = contents(given_folder)
    result = crop("out", "--margin", 0.2)
    assert result.code == 0, result.err
    rows = rows_of(Path("out/manifest.csv"))
    assert rows and {row["status"] for row in rows} == {"crop"}
    for row in rows:
        assert row["label"] == row["source"].split("/")[1] and row["split"] == "train"
        assert row["path"].startswith(row["source"].removesuffix(".jpg") + "_")
        x, y, w, h = (float(row[side]) for side in "xywh")
        crop_height, crop_width = cv2.imread(str(Path("out") / row["path"])).shape[:2]
        width, height = int(row["width"]), int(row["height"])
        assert crop_width == pytest.approx(
            min(width, x + 1.2 * w) - max(0, x - 0.2 * w), abs=2.1
        ), "full size, also of a photo decoded at a reduced scale"
        assert crop_height == pytest.approx(min(height, y + 1.2 * h) - max(0, y - 0.2 * h), abs=2.1)
    empty = rows_of(Path("out/no_detection.csv"))
    assert empty and {row["status"] for row in empty} == {"skipped"}
    assert len({row["source"] for row in rows + empty}) == 7
    assert f"{len(empty)} with nothing found, left out: out/no_detection.csv\n" in result.err
    assert "1 could not be read, first: " in result.err
    assert contents(given_folder) == before, "the input is never written to"
    pictures = {p.relative_to("out").as_posix() for p in Path("out").rglob("*.jpg")}
    assert pictures == {row["path"] for row in rows}


def test_one_per_image_keep_and_move(folder: Path, given_folder: Path, crop: Crop) -> None:
    assert crop("one", "--one_per_image", "--no_detection", "keep").code == 0
    rows = rows_of(Path("one/manifest.csv"))
    assert len({row["source"] for row in rows}) == len(rows) == 7
    whole = [row for row in rows if row["status"] == "whole"]
    assert [row["source"] for row in rows_of(Path("one/no_detection.csv"))] == [
        row["source"] for row in whole
    ]
    for row in whole:
        kept = Path("one", row["path"]).read_bytes()
        assert kept == (given_folder / row["source"]).read_bytes()

    assert crop("moved", "--no_detection", "move").code == 0
    empty = rows_of(Path("moved/no_detection.csv"))
    assert len(empty) == len(whole)
    for row in empty:
        assert row["path"] == f"no_detection/{row['source']}"
        assert Path("moved", row["path"]).is_file() and (given_folder / row["source"]).is_file()


def test_the_label_file_comes_out_with_a_row_a_crop(
    folder: Path, given_folder: Path, crop: Crop
) -> None:
    names = sorted(p.relative_to(given_folder).as_posix() for p in given_folder.rglob("p*.jpg"))
    with Path("labels.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["path", "label", "boat", "split"])
        writer.writerows([name, f"kind {n % 2}", f"b{n}", "val"] for n, name in enumerate(names))
    result = crop("out", "--label_file", "labels.csv")
    assert result.code == 0
    assert "2 photos are not in 'labels.csv': no label" in result.err
    given = {row["path"]: row for row in rows_of(Path("labels.csv"))}
    crops = [row for row in rows_of(Path("out/manifest.csv")) if row["source"] in given]
    labels = rows_of(Path("out/labels.csv"))
    assert [row["path"] for row in labels] == [row["path"] for row in crops]
    for row, source in zip(labels, crops, strict=True):
        assert row == {**given[source["source"]], "path": row["path"]}
        assert (source["label"], source["split"]) == (row["label"], "val")


class _Killed(Exception):
    pass


@pytest.mark.parametrize("torn", ["", "train/cod/p1_9.jpg,train/co"])
def test_killed_and_started_again(
    torn: str, folder: Path, crop: Crop, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert crop("whole", "--all").code == 0
    done = {"left": 4}
    original = Cropper._crop

    def dying(self: Cropper, *args: Any) -> Any:
        if not done["left"]:
            raise _Killed
        done["left"] -= 1
        return original(self, *args)

    monkeypatch.setattr(Cropper, "_crop", dying)
    monkeypatch.setattr("osprey.training.detecting.cropper._IN_HAND", 1)
    with pytest.raises(_Killed):
        crop("out")
    monkeypatch.setattr(Cropper, "_crop", original)
    assert not Path("out/manifest.csv").exists()
    journal = Path("out/journal.csv")
    with journal.open("a") as file:
        file.write(torn)
    complete = len({row["source"] for row in rows_of(journal)} - {"train/co"})
    half_written = next(Path("out").rglob("*.jpg"), None)
    if half_written is not None:  # as left by a kill before the rename
        shutil.copy(half_written, half_written.with_name(f".{half_written.name}.part"))

    result = crop("out")
    assert result.code == 0, result.err
    assert complete > 1
    assert f"{complete - 1} photos were done before\n" in result.err, "the last is done again"
    # Other photos share the batch now, which may change a score's last digit.
    exact = ("path", "source", "label", "status", "width", "height")
    for table in ("manifest.csv", "no_detection.csv", "journal.csv"):
        mine, whole = (rows_of(Path(name, table)) for name in ("out", "whole"))
        kept = [column for column in exact if column in whole[0]]
        assert [[row[c] for c in kept] for row in mine] == [[row[c] for c in kept] for row in whole]
    names = {name for name in contents(Path("out")) if name.endswith(".jpg")}
    assert names == {name for name in contents(Path("whole")) if name.endswith(".jpg")}
    assert all(cv2.imread(str(Path("out", name))) is not None for name in names)
    assert not list(Path("out").rglob(".*"))


def test_mistakes(
    folder: Path,
    given_folder: Path,
    trained: Path,
    osprey,  # type: ignore[no-untyped-def]
) -> None:
    (classifier,) = trained.glob("runs/*/2*")
    assert osprey("crop", "--input_folder", given_folder, "--output_folder", "o").code == 0
    Path("full").mkdir()
    Path("full/thesis.txt").touch()
    Path("table.csv").write_text("file,label\n")
    cases = {
        (given_folder, given_folder / "out"): (
            f"--output_folder: '{given_folder}/out' lies in '{given_folder}', which is only read; "
            "name another folder"
        ),
        ("photo", "x"): "--input_folder: there is no folder 'photo'; did you mean 'photos'?",
        (given_folder, "o", "--margin", "0.3"): (
            "--output_folder: 'o' was begun with margin 0.1, not 0.3: repeat that, or crop into "
            "another"
        ),
        (given_folder, "full"): (
            "--output_folder: 'full' holds something else: name a new or empty folder"
        ),
        (given_folder, "x", "--run", classifier): (
            f"--run: run '{classifier}' is a classifier, not a detector"
        ),
        (given_folder, "x", "--label_file", "tabel.csv"): (
            "--label_file: there is no 'tabel.csv'; did you mean 'table.csv'?"
        ),
        (given_folder, "x", "--label_file", "table.csv"): (
            "--label_file: 'table.csv' has no column 'path' (it has: file, label)"
        ),
        (given_folder, "x", "--runs", trained / "runs"): (
            f"there is no finished run of task=detection under '{trained / 'runs'}': train one "
            "with 'osprey train'"
        ),
    }
    for (source, out, *more), message in cases.items():
        result = osprey("crop", "--input_folder", source, "--output_folder", out, *more)
        assert (result.code, result.err) == (2, f"osprey crop: {message}\n")
    assert not Path("x").exists()
    assert json.loads(Path("o/crop.json").read_text())["margin"] == 0.1


@given(st.lists(st.sampled_from(["a.jpg", "a.png", "A.gif", "a.jpg.png", "a_0.jpg", "b.jpg"])))
def test_stems_are_unique(names: list[str]) -> None:
    photos = [Path("x", name) for name in dict.fromkeys(names)]
    stems = unique_stems(photos)
    assert len({str(stem).casefold() for stem in stems.values()}) == len(photos)
    if "b.jpg" in names:
        assert stems[Path("x/b.jpg")] == Path("x/b")


coordinate = st.floats(-20, 60, width=32)


@given(st.integers(1, 40), st.integers(1, 30), *[coordinate] * 4, st.floats(0, 1))
def test_a_crop_holds_its_box(
    width: int, height: int, a: float, b: float, c: float, d: float, margin: float
) -> None:
    photo = np.arange(width * height, dtype=np.int64).reshape(height, width, 1)
    box = np.array([min(a, c), min(b, d), max(a, c), max(b, d)], np.float32)
    piece = cut(photo, box, margin)  # type: ignore[arg-type]
    assert piece.size
    ys, xs = divmod(piece.reshape(-1), width)
    for value, low, high, limit in ((xs, box[0], box[2], width), (ys, box[1], box[3], height)):
        assert value.min() <= max(0, min(low, limit - 1)) and value.max() + 1 >= min(high, limit)
        room = margin * (high - low)
        assert value.min() >= min(low - room - 1, limit - 1)
        assert value.max() <= max(high + room + 1, 0)
