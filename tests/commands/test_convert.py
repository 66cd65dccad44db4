"""osprey convert: what it writes, what it says, what it refuses."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from conftest import Result
from helpers import write_photo

from osprey.data.formats import read_annotations

Command = Callable[..., Result]


@pytest.fixture
def source(here: Path) -> Path:
    """MegaDetector's answer for three photos, one of which it could not read."""
    for name in ("a b.png", "deck/2.png"):
        write_photo(here / "set" / name, size=(10, 20))
    found = [{"category": "2", "conf": 0.75, "bbox": [0.25, 0.5, 0.5, 0.25]}]
    found[0]["classifications"] = [["7", 0.9], ["8", 0.1]]
    images = [
        {"file": "a b.png", "detections": found, "datetime": "2026-05-04 03:02:01"},
        {"file": "deck/2.png", "detections": []},
        {"file": "gone.png", "detections": None, "failure": "Failure image access"},
    ]
    content = {
        "info": {"format_version": "1.6"},
        "detection_categories": {"1": "person", "2": "animal"},
        "classification_categories": {"7": "cod", "8": "eel"},
        "images": images,
    }
    (here / "set" / "found.json").write_text(json.dumps(content))
    return here / "set" / "found.json"


def test_to_coco_and_on_to_a_table(osprey: Command, source: Path, here: Path) -> None:
    done = osprey("convert", "--input", source, "--to", "coco", "--output", "coco.json")
    assert (done.code, done.err) == (0, "")
    assert done.out == "3 photos, 1 of them failed, 1 box of 2 classes: coco.json\n"
    coco = json.loads((here / "coco.json").read_text())
    assert coco["annotations"] == [
        {"id": 1, "image_id": 1, "category_id": 2, "bbox": [5, 5, 10, 2.5], "area": 25,
         "iscrowd": 0, "score": 0.75, "classifications": [["cod", 0.9], ["eel", 0.1]]}
    ]  # fmt: skip
    assert coco["images"][2]["failure"] == "Failure image access"
    words = ["--input", "coco.json", "--images", "set", "--to", "csv", "--output"]
    done = osprey("convert", *words, "set/out.csv")
    assert done.err == (
        "osprey convert: --output: 'set/out.csv' lies in 'set', which is only read; "
        "name another folder\n"
    )
    assert osprey("convert", *words, "out.csv").code == 0, "beside the annotations, not the photos"


def test_to_yolo(osprey: Command, source: Path, here: Path) -> None:
    done = osprey("convert", "--input", source, "--to", "yolo", "--output", "yolo")
    assert done.code == 0
    assert done.out.splitlines()[1] == (
        "lost, yolo cannot hold it: datetime, failure, score, classifications"
    )
    photo = here / "yolo" / "images" / "unsplit" / "a b.png"
    assert photo.read_bytes() == (here / "set" / "a b.png").read_bytes()
    back = read_annotations(here / "yolo", "yolo", here / "yolo")
    assert back.images["file"].tolist() == ["images/unsplit/a b.png", "images/unsplit/deck/2.png"]
    assert back.classes == ["person", "animal"]
    again = osprey("convert", "--input", source, "--to", "yolo", "--output", "yolo")
    assert again.err == "osprey convert: --output: 'yolo' is there already; name a new one\n"
    done = osprey("convert", "--input", "yolo", "--to", "voc", "--output", "voc")
    assert (done.code, done.err) == (0, "")
    assert done.out == "2 photos, 1 box of 2 classes: voc\n"


def test_coco_in_a_folder_has_one_file_a_split(osprey: Command, here: Path) -> None:
    for name in ("1.png", "2.png"):
        write_photo(here / "set" / name)
    rows = "path,label,x,y,w,h,split\n1.png,cod,1,2,3,4,train\n2.png,,,,,,validation\n"
    (here / "set" / "boxes.csv").write_text(rows)
    words = ["--input", "set/boxes.csv", "--to", "coco"]
    assert osprey("convert", *words, "--output", "coco").code == 0
    assert sorted(p.name for p in (here / "coco" / "annotations").iterdir()) == [
        "train.json", "val.json"
    ]  # fmt: skip
    back = read_annotations(here / "coco", "coco", here / "coco")
    assert back.images["split"].tolist() == ["train", "val"]


def test_nothing_is_overwritten_unless_told(osprey: Command, source: Path, here: Path) -> None:
    (here / "out.json").write_text("mine")
    words = ["convert", "--input", source, "--to", "coco", "--output", "out.json"]
    assert osprey(*words).err == (
        "osprey convert: --output: 'out.json' is there already; --force replaces it\n"
    )
    assert (here / "out.json").read_text() == "mine"
    assert osprey(*words, "--force").code == 0
    assert json.loads((here / "out.json").read_text())["categories"]
    assert sorted(p.name for p in here.iterdir()) == ["out.json", "set"]


def test_what_is_refused(osprey: Command, source: Path, here: Path) -> None:
    def said(*words: str | Path) -> str:
        done = osprey("convert", *words)
        assert (done.code, done.out) == (2, "")
        return done.err.removeprefix("osprey convert: ").rstrip("\n")

    to = ["--to", "csv", "--output", "out.csv"]
    assert said("--input", "gone", *to) == "--input: there is no 'gone'"
    assert said("--input", "set", *to) == (
        "--from: 'set' is none of the forms that are read here:\n"
        "  coco: no 'annotations' in the JSON\n"
        "  voc: no XML files in it\n"
        "  yolo: no data.yaml, classes.txt, notes.json or obj.data in it\n"
        "  megadetector: a folder, not a JSON file\n"
        "  csv: a folder, not a CSV or Parquet file\n"
        "  cvat: no annotations.xml in it\n"
        "  label_studio: no JSON list of tasks\n"
        "  labelme: no 'shapes' and 'imagePath' in the JSON\n"
        "  coco_results: no JSON list of detections\n"
        "  roboflow_csv: no _annotations.csv in it\n"
        "  sloth: no list of 'filename' and 'annotations'"
    )
    assert said("--input", source, "--to", "csv", "--output", "out") == (
        "--output: csv is a file ending in .csv or .parquet"
    )
    assert said("--input", source, "--from", "coco", *to) == (
        f"'{source}' is no COCO file: it has no list 'annotations'"
    )
    (here / "set" / "a b.png").unlink()
    assert said("--input", source, *to) == (
        f"'{source}' line 1: there is no photo 'a b.png' under '{here / 'set'}'"
    )
    assert not (here / "out.csv").exists()


def test_a_nought_is_kept(osprey: Command, here: Path) -> None:
    pytest.importorskip("pyarrow")
    write_photo(here / "p" / "a.png")
    row = {"path": "a.png", "label": 0, "x": 0, "y": 0, "w": 2, "h": 2, "score": 0.0}
    pd.DataFrame([{**row, "frame_num": 0, "depth": 0}]).to_parquet(here / "in.parquet")
    words = ("--input", "in.parquet", "--images", "p", "--to", "csv", "--output", "o.csv")
    done = osprey("convert", *words)
    assert (done.code, done.out) == (0, "1 photo, 1 box of 1 class: o.csv\n"), "none is lost"
    found = pd.read_csv(here / "o.csv").iloc[0]
    assert [found[name] for name in ("label", "score", "frame_num", "depth")] == [0, 0, 0, 0]


def test_megadetector_keeps_the_lists_and_the_maker(osprey: Command, here: Path) -> None:
    write_photo(here / "p" / "a.png")
    named = [["2", 0.1], ["5", 0.8]]
    box = {"category": "1", "conf": 0.5, "bbox": [0, 0, 1, 1], "classifications": named}
    content = {
        "info": {"format_version": "1.4", "detector": "v5a.0.1.pt", "classifier": "fishes"},
        "detection_categories": {"1": "animal", "2": "person"},
        "classification_categories": {"2": "eel", "3": "tuna", "5": "cod"},
        "images": [{"file": "a.png", "detections": [box]}],
    }
    (here / "in.json").write_text(json.dumps(content))
    words = ("--images", "p", "--to", "megadetector", "--output")
    assert osprey("convert", "--input", "in.json", *words, "o.json").code == 0
    out = json.loads((here / "o.json").read_text())
    assert out["info"] == {**content["info"], "format_version": "1.6"}
    assert out["classification_categories"] == {"1": "eel", "2": "tuna", "3": "cod"}
    assert out["images"][0]["detections"][0]["classifications"] == [["3", 0.8], ["1", 0.1]]
    (here / "c.csv").write_text("path,label,x,y,w,h\na.png,,,,,\n")
    assert osprey("convert", "--input", "c.csv", *words, "d.json").code == 0
    assert json.loads((here / "d.json").read_text())["info"]["detector"] == "c.csv"
