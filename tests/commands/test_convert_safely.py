"""osprey convert keeps what is there, stays where it is told, and mends what cannot be."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from conftest import Result
from helpers import write_photo

from osprey.data.formats import placing, read_annotations
from osprey.errors import DataError

Command = Callable[..., Result]
COCO_PHOTO = {"id": 1, "file_name": "a.png", "width": 16, "height": 12}


def coco(*files: str, boxes: tuple[Any, ...] = ()) -> str:
    images = [{**COCO_PHOTO, "id": n, "file_name": file} for n, file in enumerate(files)]
    found = [{"id": n, "image_id": 0, "category_id": 1, "bbox": b} for n, b in enumerate(boxes)]
    categories = [{"id": 1, "name": "cod"}]
    return json.dumps({"images": images, "annotations": found, "categories": categories})


def everything(folder: Path) -> dict[str, bytes]:
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


@pytest.fixture
def refused(osprey: Command, here: Path) -> Callable[..., str]:
    """Convert ``in.json`` with the photos in ``p``; returns the one line, nothing being written."""

    def call(text: str, *words: str) -> str:
        (here / "in.json").write_text(text)
        before = everything(here.parent)
        done = osprey("convert", "--input", "in.json", "--images", "p", *words)
        assert (done.code, done.out, done.err.count("\n")) == (2, "", 1)
        assert everything(here.parent) == before
        assert sorted(here.glob(".*")) == []
        return done.err.removeprefix("osprey convert: ").rstrip("\n")

    return call


@pytest.mark.parametrize(
    ("form", "files", "place"),
    [
        ("voc", ("a.png", "a.jpg"), "Annotations/a.xml"),
        ("yolo", ("a.png", "a.jpg"), "labels/unsplit/a.txt"),
        ("voc", ("JPEGImages/a.png", "a.png"), "JPEGImages/a.png"),
        ("yolo", ("images/unsplit/a.png", "a.png"), "images/unsplit/a.png"),
    ],
)
def test_photos_of_one_place(
    refused: Callable[..., str], here: Path, form: str, files: tuple[str, ...], place: str
) -> None:
    for level, file in enumerate(files):
        write_photo(here / "p" / file, level=level)
    first, second = files
    assert refused(coco(*files), "--to", form, "--output", "out") == (
        f"'{first}' and '{second}' would both be written to '{place}': rename one of them"
    )


def test_a_photo_where_anothers_folder_would_be(refused: Callable[..., str], here: Path) -> None:
    for file in ("JPEGImages/a.png", "a.png/b.png"):
        write_photo(here / "p" / file)
    text = coco("JPEGImages/a.png", "a.png/b.png")
    assert refused(text, "--to", "voc", "--output", "out") == (
        "'JPEGImages/a.png' would be written to 'JPEGImages/a.png', which is a folder for "
        "'a.png/b.png': rename one of them"
    )


@pytest.mark.parametrize("links", [True, False])
def test_a_photo_is_never_written_through_a_link(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, links: bool
) -> None:
    mine, other = (write_photo(tmp_path / name, level=n) for n, name in enumerate("ab"))
    before = mine.read_bytes()
    (tmp_path / "out").symlink_to(mine)
    (tmp_path / "nowhere").symlink_to(tmp_path / "gone")
    if not links:
        monkeypatch.setattr(Path, "symlink_to", lambda *_: (_ for _ in ()).throw(OSError))
        placing.place_photo(other, tmp_path / "copy")
        assert (tmp_path / "copy").read_bytes() == other.read_bytes()
    for target in ("out", "nowhere"):
        with pytest.raises(DataError, match="is there already"):
            placing.place_photo(other, tmp_path / target)
    assert mine.read_bytes() == before
    assert not (tmp_path / "gone").exists()


@pytest.mark.parametrize("form", ["coco", "voc", "yolo", "megadetector", "csv"])
def test_names_that_lead_elsewhere(refused: Callable[..., str], here: Path, form: str) -> None:
    write_photo(here / "p" / "a.png")
    outside = write_photo(here / "b.png")
    output = {"coco": "o.json", "megadetector": "o.json", "csv": "o.csv"}.get(form, "o")
    words = ("--to", form, "--output", output)
    for name in ("../b.png", "x/../../b.png", str(outside)):
        said = refused(coco("a.png", name), *words)
        assert said == f"'in.json' line 1: '{name}' is not a path under the photos' folder"
    assert refused(coco("a.png", "./a.png"), *words) == (
        "'in.json' line 1: 'a.png' is listed twice (1 such photos)"
    )


def test_xml_that_names_a_photo_elsewhere(osprey: Command, here: Path) -> None:
    outside = write_photo(here / "b.png")
    (here / "set" / "Annotations").mkdir(parents=True)
    for name in ("../b.png", str(outside)):
        xml = f"<annotation><filename>{name}</filename></annotation>"
        (here / "set" / "Annotations" / "x.xml").write_text(xml)
        done = osprey("convert", "--input", "set", "--to", "csv", "--output", "o.csv")
        assert done.code == 2
        assert "b.png' does not lie under 'set': set data.root (osprey convert" in done.err


def test_where_may_be_written(osprey: Command, refused: Callable[..., str], here: Path) -> None:
    write_photo(here / "p" / "a.png")
    assert refused(coco("a.png"), "--to", "csv", "--output", "p/o.csv") == (
        "--output: 'p/o.csv' lies in 'p', which is only read; name another folder"
    )
    same = ("--to", "coco", "--output", "in.json", "--force")
    assert refused(coco("a.png"), *same) == "--output: 'in.json' is the input; name another"
    assert refused(coco("a.png"), "--to", "voc", "--output", "o.csv") == (
        "--output: voc is a folder, not a file 'o.csv'"
    )
    words = ("--input", "in.json", "--images", "p", "--to")
    assert osprey("convert", *words, "yolo", "--output", "yolo").code == 0, "beside its input"
    (here / "gone.csv").symlink_to(here / "elsewhere.csv")
    done = osprey("convert", *words, "csv", "--output", "gone.csv")
    assert done.err.endswith("'gone.csv' is there already; --force replaces it\n")
    done = osprey("convert", "--input", "yolo", "--to", "csv", "--output", "yolo/o.csv")
    assert done.err.endswith("lies in 'yolo', which is only read; name another folder\n")
    done = osprey("convert", "--input", "yolo/data.yaml", "--to", "csv", "--output", "yolo/o.csv")
    assert done.err.endswith("lies in 'yolo', which is only read; name another folder\n")


@pytest.mark.parametrize("form", ["voc", "yolo"])
def test_images_are_heeded_for_every_form(osprey: Command, here: Path, form: str) -> None:
    write_photo(here / "p" / "a.png")
    (here / "in.json").write_text(coco("a.png"))
    words = ("--input", "in.json", "--images", "p", "--to", form, "--output", "set/it")
    (here / "set").mkdir()
    assert osprey("convert", *words).code == 0
    to = ("--input", "set/it", "--to", "csv", "--output", "o.csv", "--images")
    assert osprey("convert", *to, here / "set").code == 0
    name = pd.read_csv(here / "o.csv")["path"].item()
    assert name == {"voc": "it/JPEGImages/a.png", "yolo": "it/images/unsplit/a.png"}[form]
    done = osprey("convert", *to, "p", "--force")
    assert done.code == 2
    assert "does not lie under 'p'" in done.err


def test_its_own_coco_folder_is_known(osprey: Command, here: Path) -> None:
    write_photo(here / "p" / "a.png")
    (here / "in.json").write_text(coco("a.png", boxes=([1, 2, 3, 4],)))
    words = ("--images", "p", "--to")
    assert osprey("convert", "--input", "in.json", *words, "coco", "--output", "coco").code == 0
    done = osprey("convert", "--input", "coco", *words, "yolo", "--output", "yolo")
    assert (done.code, done.out) == (0, "1 photo, 1 box of 1 class: yolo\n")


BOXES = ([100, 100, 5, 5], [5, 5, -3, -3], [1, 1, 0, 4], [10, 10, 20, 20], [1, 1, 2, 2])
COUNTED = "1 dropped: outside, 1 turned, 1 dropped: no area, 1 clipped"


@pytest.mark.parametrize(("form", "output"), [("coco", "o.json"), ("csv", "o.csv"), ("yolo", "o")])
def test_boxes_are_mended_counted_and_named(
    osprey: Command, refused: Callable[..., str], here: Path, form: str, output: str
) -> None:
    write_photo(here / "p" / "a.png")
    (here / "in.json").write_text(coco("a.png", boxes=BOXES))
    words = ("--to", form, "--output", output)
    done = osprey("convert", "--input", "in.json", "--images", "p", *words)
    listed = "o/boxes_mended.csv" if form == "yolo" else f"{output}.boxes_mended.csv"
    assert (done.code, done.out) == (
        0,
        f"1 photo, 3 boxes of 1 class: {output}; boxes mended, listed in {listed}: {COUNTED}\n",
    )
    mended = pd.read_csv(here / listed)
    assert list(mended) == ["path", "label", "x", "y", "w", "h", "what"]
    assert mended[["x", "y", "w", "h"]].to_numpy().tolist() == [list(b) for b in BOXES[:4]]
    back = read_annotations(here / output, form, here / ("o" if form == "yolo" else "p"))
    found = back.boxes[["x", "y", "w", "h"]].to_numpy().round(4).tolist()
    assert found == [[2, 2, 3, 3], [10, 10, 6, 2], [1, 1, 2, 2]]
    if form != "yolo":
        os.remove(here / output)
        assert refused(coco("a.png", boxes=BOXES), *words) == (
            f"--output: '{listed}', which would list the boxes that were mended, is there "
            "already; --force replaces it"
        )
