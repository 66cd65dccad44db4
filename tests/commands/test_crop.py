"""Crops: every subject found, its photo's label, a stop and a second start, the input untouched."""

from __future__ import annotations

import csv
import errno
import json
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from conftest import TINY, Result, environment, only_run
from hypothesis import given
from hypothesis import strategies as st

from osprey.config.schema import DataConfig
from osprey.data.crop_journal import CropJournal
from osprey.data.folder_reader import read_folder
from osprey.data.naming import unique_stems
from osprey.errors import UnreadableImage
from osprey.imaging.cropping import cut
from osprey.pipelines import cropper
from osprey.tasks.detection.predictor import BoxPredictor


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
    (failure,) = rows_of(Path("out/failures.csv"))
    assert failure["source"] == "train/cod/cut.jpg"
    assert failure["failure"].startswith(f"{given_folder}/train/cod/cut.jpg: truncated JPEG")
    told = f"1 could not be read: out/failures.csv, first: {failure['failure']}\n"
    assert told in result.err
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


def label_file(given_folder: Path, *columns: str) -> list[dict[str, str]]:
    """Write labels.csv with further columns; returns its rows."""
    names = sorted(p.relative_to(given_folder).as_posix() for p in given_folder.rglob("p*.jpg"))
    head = ["path", "label", *columns]
    rows = [
        dict(zip(head, [name, f"kind {n % 2}", *(f"{c}{n}" for c in columns)], strict=True))
        for n, name in enumerate(names)
    ]
    with Path("labels.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, head)
        writer.writeheader()
        writer.writerows(rows)
    return rows


def test_the_label_file_comes_out_with_a_row_a_crop(
    folder: Path, given_folder: Path, crop: Crop
) -> None:
    given = {row["path"]: row for row in label_file(given_folder, "boat")}
    result = crop("out", "--label_file", "labels.csv")
    assert result.code == 0
    assert "not in 'labels.csv', so without a label: 2 photos" in result.err
    crops = [row for row in rows_of(Path("out/manifest.csv")) if row["source"] in given]
    labels = rows_of(Path("out/labels.csv"))
    assert [row["path"] for row in labels] == [row["path"] for row in crops]
    for row, made in zip(labels, crops, strict=True):
        assert row == {**given[made["source"]], "path": row["path"], "source": made["source"]}
        assert made["label"] == row["label"]


def next_command(result: Result) -> list[str]:
    before, _, command = result.err.partition("next:\n  osprey ")
    assert command, before
    return shlex.split(command)


def test_the_next_command_keeps_the_crops_of_a_photo_together(
    folder: Path,
    given_folder: Path,
    crop: Crop,
    osprey,  # type: ignore[no-untyped-def]
) -> None:
    rows = label_file(given_folder)
    words = next_command(crop("my out", "--label_file", "labels.csv", "--min_score", 0))
    assert words == [
        *("train", "data=table", "data.root=my out", "data.file=my out/labels.csv"),
        "data.group=source",
    ]
    assert osprey(*words, *TINY, "paths.runs=trained", "trainer.max_epochs=1").code == 0
    trained = rows_of(next(Path("trained").glob("*/2*/manifest.csv")))
    splits = {(row["source"], row["split"]) for row in trained}
    assert len(splits) == len(rows) < len(trained), "many crops a photo, one split"

    label_file(given_folder, "source", "group")
    words = next_command(crop("grouped", "--label_file", "labels.csv"))
    assert words[-1] == "data.file=grouped/labels.csv", "the table has groups of photos"
    label_file(given_folder, "source")
    words = next_command(crop("sourced", "--label_file", "labels.csv"))
    assert words[-1] == "data.group=source_photo", "the table's own column stays"
    assert {row["source"][:6] for row in rows_of(Path("sourced/labels.csv"))} == {"source"}
    words = next_command(crop("plain"))
    assert words[-2:] == ["data.file=plain/manifest.csv", "data.group=source"]


def test_a_photo_with_two_labels_is_told(folder: Path, given_folder: Path, crop: Crop) -> None:
    label_file(given_folder)
    with Path("labels.csv").open("a") as file:
        file.writelines(f"train/cod/p{n}.jpg,other\n" for n in (1, 3, 5))
    result = crop("out", "--label_file", "labels.csv", "--min_score", 0)
    assert result.err.endswith(
        "3 photos with several rows in the label file, and so their crops: training takes one "
        "label a crop\n"
    )


def test_no_detection_is_no_class(folder: Path, crop: Crop, given_folder: Path) -> None:
    for photo in (given_folder / "train").rglob("p*.jpg"):
        target = given_folder / photo.parent.name / photo.name
        target.parent.mkdir(exist_ok=True)
        photo.rename(target)
    shutil.rmtree(given_folder / "train")
    result = crop("out", "--no_detection", "move")
    assert ", put into no_detection/, which no table of crops names: out/no_" in result.err
    assert len(list(Path("out/no_detection").rglob("*.jpg"))) == 3
    config, notices = DataConfig(name="folder", root="out"), list[str]()
    assert read_folder(config, notices).classes == ["cod", "tuna"]
    assert notices[0] == (
        "'out' holds crops; those of one photo may come into different splits: train with "
        "data=table data.root=out data.file=out/manifest.csv data.group=source"
    )


def test_crops_without_labels(folder: Path, given_folder: Path, crop: Crop) -> None:
    for photo in list(given_folder.rglob("p*.jpg")):
        photo.rename(given_folder / photo.name)
    shutil.rmtree(given_folder / "train")
    result = crop("out")
    assert result.code == 0
    count = len(rows_of(Path("out/manifest.csv")))
    assert result.err.endswith(
        f"without a label: {count} crops: put photos into class folders, or give --label_file, to "
        "train on them\n"
    )


class _Killed(BaseException):
    pass


@pytest.mark.parametrize("torn", ["", '[{"source": "train/tuna/p5.jp', "[]\n"])
def test_killed_and_started_again(
    torn: str, folder: Path, crop: Crop, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert crop("whole", "--all").code == 0
    left = [2]
    original = cropper.write_jpeg

    def dying(*args: Any) -> None:
        original(*args)
        left[0] -= 1
        if left[0] < 0:
            raise _Killed

    monkeypatch.setattr(cropper, "write_jpeg", dying)
    with pytest.raises(_Killed):
        crop("out", "--all")
    monkeypatch.setattr(cropper, "write_jpeg", original)
    assert not Path("out/manifest.csv").exists()
    journal = Path("out/journal.jsonl")
    complete = [json.loads(line) for line in journal.read_text().splitlines()]
    pictures = {p.relative_to("out").as_posix() for p in Path("out").rglob("*.jpg")}
    entered = {row["path"] for rows in complete for row in rows if row["status"] == "crop"}
    assert entered < pictures, "all that is entered is written"
    done = sum(rows[0]["status"] != "failure" for rows in complete)
    with journal.open("a") as file:
        file.write(torn)
    half_written = next(Path("out").rglob("*.jpg"))  # as left by a kill before the rename
    shutil.copy(half_written, half_written.with_name(f".{half_written.name}.part"))

    result = crop("out", "--all")
    assert result.code == 0, result.err
    assert f"done before: {done} photo" in result.err
    # Other photos share the batch now, which may change a score's last digit.
    exact = ("path", "source", "label", "status", "width", "height", "failure")
    for table in ("manifest.csv", "no_detection.csv", "failures.csv"):
        mine, whole = (rows_of(Path(name, table)) for name in ("out", "whole"))
        kept = [column for column in exact if column in whole[0]]
        assert [[row[c] for c in kept] for row in mine] == [[row[c] for c in kept] for row in whole]
    names = {name for name in contents(Path("out")) if name.endswith(".jpg")}
    assert names == {name for name in contents(Path("whole")) if name.endswith(".jpg")}
    assert all(cv2.imread(str(Path("out", name))) is not None for name in names)


def test_a_finished_folder_and_failures_are_told_without_torch(
    folder: Path, given_folder: Path, crop: Crop, between: float
) -> None:
    assert crop("out").code == 0
    tables = contents(Path("out"))
    del tables["journal.jsonl"]  # what failed again comes last
    code = (
        "import sys; from osprey.commands import main; code = main(sys.argv[1:]); "
        "sys.exit(100 if 'torch' in sys.modules else code)"
    )
    words = ["crop", "--input_folder", str(given_folder), "--output_folder", "out"]
    again = subprocess.run(
        [sys.executable, "-c", code, *words, "--min_score", str(between), "--strict"],
        env=environment(),
        capture_output=True,
        text=True,
    )
    assert (again.returncode, again.stdout) == (1, ""), again.stderr
    lines = again.stderr.splitlines()
    assert lines[0] == "nothing to do, done before: 7 photos"
    assert lines[3].startswith("1 could not be read: out/failures.csv, first: ")
    assert {name: data for name, data in contents(Path("out")).items() if name in tables} == tables

    large = given_folder / "train" / "cod" / "large.jpg"
    shutil.copy(large, given_folder / "train" / "cod" / "cut.jpg")
    mended = crop("out", "--strict")
    assert mended.code == 0 and mended.err.startswith("done before: 7 photos; left: 1\n")
    assert rows_of(Path("out/failures.csv")) == []
    journal = Path("out/journal.jsonl").read_text().splitlines()
    assert len(journal) == 8 and len({json.loads(line)[0]["source"] for line in journal}) == 8


def test_a_photo_taken_away_meanwhile_fails_alone(
    folder: Path, given_folder: Path, crop: Crop, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(path: Path, **settings: Any) -> Any:
        raise UnreadableImage(f"{path}: no such file")

    monkeypatch.setattr(cropper, "read_image", gone)
    monkeypatch.setattr("osprey.tasks.detection.predictor._KEPT", 0)
    result = crop("out")
    assert result.code == 0
    empty = rows_of(Path("out/no_detection.csv"))
    assert empty and rows_of(Path("out/manifest.csv")) == []
    assert len(rows_of(Path("out/failures.csv"))) == 8 - len(empty) > 1


def test_one_command_at_a_time(folder: Path, crop: Crop) -> None:
    with CropJournal(Path("out"), {}):
        result = crop("out")
    assert (result.code, result.err) == (
        2,
        "osprey crop: --output_folder: another process is cropping into 'out'\n",
    )


def test_a_full_disk_is_one_line(folder: Path, crop: Crop, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(cropper, "write_jpeg", full)
    result = crop("out")
    assert result.code == 2
    assert result.err.endswith(
        "osprey crop: --output_folder: cannot write to 'out' (No space left on device); the same "
        "command goes on when that is mended\n"
    )


def test_odd_names(folder: Path, given_folder: Path, osprey) -> None:  # type: ignore[no-untyped-def]
    photo = (given_folder / "train" / "cod" / "p1.jpg").read_bytes()
    odd = Path("odd")
    names = [
        "a b.jpg",
        "Größe.jpg",
        "🐟#1%20.jpg",
        "new\nline.jpg",
        'it\'s, "q".jpg',
        "s\u2028.jpg",
    ]
    names.append("x" * 251 + ".jpg")
    for name in names:
        (odd / "cod").mkdir(parents=True, exist_ok=True)
        (odd / "cod" / name).write_bytes(photo)
    with suppress(OSError):  # a file system that takes text alone
        Path(os.fsdecode(b"odd/cod/f\xff.jpg")).write_bytes(photo)
        names.append("f\\udcff.jpg")
    words = ("--input_folder", odd, "--output_folder", "out", "--min_score", 0, "--one_per_image")
    for _ in range(2):
        assert osprey("crop", *words).code == 0
        rows = rows_of(Path("out/manifest.csv"))
        assert {row["source"] for row in rows} == {
            f"cod/{name}" for name in names if len(name) < 250
        }
        assert all(Path("out", row["path"]).is_file() for row in rows)
        (failure,) = rows_of(Path("out/failures.csv"))
        assert failure["failure"].endswith(".jpg: its name is too long to add to; shorten it")


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
    Path("others.csv").write_text("path,label\ncod/p1.jpg,cod\n")
    Path("link").symlink_to(given_folder / "train")
    elsewhere = folder / "elsewhere" / "deep"
    elsewhere.mkdir(parents=True)
    shutil.copy(given_folder / "train" / "cod" / "p1.jpg", elsewhere)
    Path("linking").mkdir()
    Path("linking/card").symlink_to(elsewhere)
    Path("pointing").mkdir()
    Path("pointing/p1.jpg").symlink_to(elsewhere / "p1.jpg")

    def inside(out: Path | str, given: Path | str = given_folder) -> str:
        return (
            f"--output_folder: '{out}' lies in '{given}', which is only read; name another folder"
        )

    cases = {
        (given_folder, given_folder / "out"): inside(given_folder / "out"),
        (given_folder, given_folder): (
            f"--output_folder: '{given_folder}' is the folder of the photos, which is only read; "
            "name another folder"
        ),
        (given_folder, "link/out"): inside("link/out"),
        ("linking", elsewhere / "out"): inside(elsewhere / "out", "linking"),
        ("pointing", elsewhere): inside(elsewhere, "pointing"),
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
        (given_folder, "x", "--margin", "wide"): (
            "argument --margin: 'wide' is not a number from 0 to 10; 'osprey crop --help' tells "
            "what there is"
        ),
        (given_folder, "x", "--label_file", "tabel.csv"): (
            "--label_file: there is no 'tabel.csv'; did you mean 'table.csv'?"
        ),
        (given_folder, "x", "--label_file", "table.csv"): (
            "--label_file: 'table.csv' has no column 'path' (it has: file, label)"
        ),
        (given_folder, "x", "--label_file", "others.csv"): (
            "--label_file names none of the photos: it has 'cod/p1.jpg', and below --input_folder "
            "there is 'train/cod/cut.jpg'; name the folder that its paths are relative to"
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
