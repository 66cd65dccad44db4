"""osprey convert keeps what the target holds, names what it cannot, and knows every form."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import Result
from helpers import write_photo
from PIL import Image

from osprey.data.formats import FORMS, read_annotations

Command = Callable[..., Result]
BOX = {"id": 11, "image_id": 7, "category_id": 30, "bbox": [1, 2, 3, 4]}
OUTLINE = [[1.0, 2.0, 4.0, 2.0, 4.0, 6.0]]


def coco(box: dict[str, Any] | None = None, **image: Any) -> str:
    photo = {"id": 7, "file_name": "a.png", "width": 16, "height": 12, **image}
    categories = [{"id": 10, "name": "eel"}, {"id": 30, "name": "cod", "supercategory": "fish"}]
    found = [{**BOX, **(box or {})}]
    content = {"info": {"year": 2026}, "images": [photo], "annotations": found}
    return json.dumps({**content, "categories": categories})


def test_coco_to_coco_keeps_ids_outlines_and_attributes(osprey: Command, here: Path) -> None:
    write_photo(here / "a.png")
    more = {"segmentation": OUTLINE, "area": 6.5, "attributes": {"sex": "m"}, "difficult": 1}
    (here / "in.json").write_text(coco(more, license=3))
    done = osprey("convert", "--input", "in.json", "--to", "coco", "--output", "../out.json")
    assert (done.code, done.out) == (0, "1 photo, 1 box of 2 classes: ../out.json\n"), done.err
    out = json.loads((here.parent / "out.json").read_text())
    assert out["annotations"] == [{**BOX, **more, "iscrowd": 0}]
    assert out["images"] == [
        {"license": 3, "id": 7, "file_name": "a.png", "width": 16, "height": 12}
    ]
    assert [(c["id"], c["name"]) for c in out["categories"]] == [(10, "eel"), (30, "cod")]
    assert (out["categories"][1]["supercategory"], out["info"]) == ("fish", {"year": 2026})
    done = osprey("convert", "--input", "in.json", "--to", "yolo", "--output", "../yolo")
    assert done.out.splitlines()[1] == (
        "lost, yolo cannot hold it: segmentation, attributes, difficult"
    )
    done = osprey("convert", "--input", "in.json", "--to", "voc", "--output", "../voc")
    assert done.out.splitlines()[1] == "lost, voc cannot hold it: segmentation, attributes"


def test_voc_to_voc_keeps_marks_and_classes(osprey: Command, here: Path) -> None:
    write_photo(here / "set" / "images" / "a.png")
    ends = "<xmin>1</xmin><ymin>1</ymin><xmax>16</xmax><ymax>12</ymax>"
    thing = "<name>cod</name><pose>Left</pose><difficult>1</difficult><truncated>0</truncated>"
    (here / "set" / "annots").mkdir()
    (here / "set" / "annots" / "a.xml").write_text(
        f"<annotation><object>{thing}<bndbox>{ends}</bndbox></object></annotation>"
    )
    (here / "set" / "classes.txt").write_text("eel\ncod\n")
    done = osprey("convert", "--input", "set", "--to", "voc", "--output", "voc")
    assert (done.code, done.out) == (
        0, "1 photo, 1 box of 2 classes: voc\nlost, voc cannot hold it: pose\n"
    ), done.err  # fmt: skip
    assert done.err == "VOC's pixels count from 1, as no box begins at 0 (--origin 0 if not)\n"
    (xml,) = (here / "voc").rglob("*.xml")
    assert "<difficult>1</difficult>" in xml.read_text()
    assert all(f"<{key}>{value}<" in xml.read_text() for key, value in
               {"xmin": 1, "ymin": 1, "xmax": 16, "ymax": 12}.items())  # fmt: skip
    assert (here / "voc" / "classes.txt").read_text() == "eel\ncod\n", "also that of no box"
    back = read_annotations(here / "voc", "voc", here / "voc")
    assert back.boxes[["x", "y", "w", "h"]].to_numpy().tolist() == [[0, 0, 16, 12]]
    assert back.boxes["extra"][0] == {"difficult": 1, "truncated": 0}


def test_yolo_of_photos_without_a_split(osprey: Command, here: Path) -> None:
    rows = "".join(f"{n}.png,cod,1,2,3,4\n" for n in range(10))
    for number in range(10):
        write_photo(here / "p" / f"{number}.png")
    (here / "in.csv").write_text("path,label,x,y,w,h\n" + rows)
    words = ("convert", "--input", "in.csv", "--images", "p", "--to", "yolo", "--output")
    done = osprey(*words, "all")
    assert done.err == "no photo is in val, so data.yaml has none: --val-fraction 0.2 cuts one\n"
    assert "val:" not in (here / "all" / "data.yaml").read_text()
    done = osprey(*words, "cut", "--val-fraction", "0.2")
    assert (done.code, done.err) == (0, "")
    splits = read_annotations(here / "cut", "yolo", here / "cut").images["split"]
    assert splits.value_counts().to_dict() == {"train": 8, "val": 2}
    assert osprey(*words, "no", "--val-fraction", "1").err == (
        "osprey convert: --val-fraction: 1 is no share between 0 and 1\n"
    )
    again = (
        "convert",
        "--input",
        "cut",
        "--to",
        "csv",
        "--output",
        "o.csv",
        "--val-fraction",
        "0.2",
    )
    assert osprey(*again).err == (
        "osprey convert: --val-fraction: every photo has a split already; leave it out\n"
    )


def test_the_photo_s_own_size_counts(osprey: Command, here: Path) -> None:
    write_photo(here / "a.png")
    words = ("convert", "--input", "in.json", "--to", "yolo", "--output")
    (here / "in.json").write_text(coco({"bbox": [10, 20, 30, 40]}, width=160, height=120))
    done = osprey(*words, "../small")
    assert done.err.splitlines()[0] == (
        "size taken from the photo, where another is declared: 1, 'a.png' (declared 160 x 120, "
        "the photo 16 x 12)"
    )
    (text,) = (here.parent / "small" / "labels").rglob("*.txt")
    assert list(map(float, text.read_text().split())) == pytest.approx(
        [1, 2.5 / 16, 4 / 12, 3 / 16, 4 / 12], abs=1e-6
    )
    (here / "in.json").write_text(coco(width=12, height=12))
    assert osprey(*words, "../other").err == (
        "osprey convert: annotated at another shape than the photo has: 'a.png' (declared 12 x 12, "
        "the photo 16 x 12)\n"
    )


def test_photos_that_exif_turns(osprey: Command, here: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(np.zeros((12, 16, 3), np.uint8)).save(here / "a.jpg", exif=exif)
    words = ("convert", "--input", "in.json", "--to", "yolo", "--output")
    (here / "in.json").write_text(coco({"bbox": [1, 2, 3, 14]}, file_name="a.jpg"))
    done = osprey(*words, "../fits")
    assert done.code == 0, "the boxes fit the photo as it is shown, 12 x 16"
    (text,) = (here.parent / "fits" / "labels").rglob("*.txt")
    assert float(text.read_text().split()[3]) == pytest.approx(3 / 12, abs=1e-6)
    (here / "in.json").write_text(coco({"bbox": [1, 2, 14, 3]}, file_name="a.jpg"))
    assert osprey(*words, "../not").err.startswith(
        "osprey convert: photos whose width and height are declared the other way round, as they "
    )
    (here / "in.json").write_text(coco({"bbox": [1, 2, 3, 4]}, file_name="a.jpg"))
    assert osprey(*words, "../either").code == 2, "both ways fit: not for a guess"


def test_outlines_are_scaled_with_their_boxes(osprey: Command, here: Path) -> None:
    write_photo(here / "a.png")  # 16 x 12
    words = ("convert", "--input", "in.json", "--to", "coco", "--output")
    size = {"width": 160, "height": 120}
    polygon = [[10, 20, 40, 20, 40, 60]]
    more = {"bbox": [10, 20, 30, 40], "segmentation": polygon, "area": 650}
    (here / "in.json").write_text(coco(more, **size))
    assert osprey(*words, "../scaled.json").code == 0
    (entry,) = json.loads((here.parent / "scaled.json").read_text())["annotations"]
    assert (entry["bbox"], entry["area"]) == ([1, 2, 3, 4], 6.5)
    assert entry["segmentation"] == [[1, 2, 4, 2, 4, 6]]
    mask = {"counts": [0, 19200], "size": [120, 160]}
    (here / "in.json").write_text(coco({**more, "segmentation": mask}, **size))
    done = osprey(*words, "../mask.json")
    assert "lost, outlines and masks of boxes that were scaled: 1\n" in done.err
    (entry,) = json.loads((here.parent / "mask.json").read_text())["annotations"]
    assert (entry["bbox"], entry["area"]) == ([1, 2, 3, 4], 12)
    assert "segmentation" not in entry


def test_an_outline_of_a_box_that_is_cut_is_lost_and_said_so(osprey: Command, here: Path) -> None:
    write_photo(here / "a.png")
    more = {"bbox": [10, 2, 30, 4], "segmentation": [[10, 2, 40, 2, 40, 6]], "area": 60}
    (here / "in.json").write_text(coco(more))
    done = osprey("convert", "--input", "in.json", "--to", "coco", "--output", "../out.json")
    assert "lost, outlines and masks of boxes that were cut at the photo's border: 1\n" in done.err
    (entry,) = json.loads((here.parent / "out.json").read_text())["annotations"]
    assert (entry["bbox"], entry["area"], entry["id"]) == ([10, 2, 6, 4], 24, 11)
    assert "segmentation" not in entry


def test_cvat_keeps_every_mark(osprey: Command, here: Path) -> None:
    write_photo(here / "a.png")
    marks = {"difficult": 1, "truncated": 0, "occluded": 1}
    (here / "in.json").write_text(coco({**marks, "attributes": {"sex": "m"}}))
    done = osprey("convert", "--input", "in.json", "--to", "cvat", "--output", "../out.xml")
    assert (done.code, "lost" in done.out) == (0, False)
    (box,) = read_annotations(here.parent / "out.xml", "cvat", here).box_rows()
    assert box.extra is not None
    assert {mark: box.extra[mark] for mark in marks} == marks
    assert box.extra["attributes"]["sex"] == "m"


@pytest.mark.parametrize("form", FORMS)
def test_every_form_is_known_by_its_look(osprey: Command, here: Path, form: str) -> None:
    (here / "p").mkdir()
    write_photo(here / "p" / "a.png")
    (here / "in.json").write_text(coco())
    ending = ".json" if form == "coco" else (*FORMS[form].ending, "")[0]
    out = here / "made" / f"set{ending}"
    out.parent.mkdir()
    words = ("convert", "--images", "p", "--to")
    done = osprey(*words, form, "--input", "in.json", "--output", out)
    assert done.code == 0, done.err
    images = () if FORMS[form].places_photos else ("--images", "p")
    if form == "coco_results":  # its classes and photos stand in another file
        (here / "made" / "truth.json").write_text(coco())
    done = osprey("convert", "--input", out, *images, "--to", "csv", "--output", "back.csv")
    assert done.code == 0, done.err
    rows = (here / "back.csv").read_text().splitlines()
    assert len(rows) == 2
    assert [float(v) for v in rows[1].split(",")[2:6]] == pytest.approx([1, 2, 3, 4], abs=1e-4)
    assert rows[1].split(",")[1] == "cod"


def test_two_forms_that_fit(osprey: Command, here: Path) -> None:
    (here / "in.json").write_text(coco())
    write_photo(here / "a.png")
    done = osprey("convert", "--input", "in.json", "--to", "yolo", "--output", "../set")
    assert done.code == 0
    annotations = here.parent / "set" / "annotations"
    annotations.mkdir()
    (annotations / "train.json").write_text(coco())
    done = osprey("convert", "--input", "../set", "--to", "csv", "--output", "o.csv")
    assert (done.code, done.out) == (2, "")
    assert done.err == (
        "osprey convert: --from: '../set' could be coco or yolo: say which with --from NAME\n"
    )


@pytest.mark.parametrize("name", ["set.zip", "in.json", "boxes.xml"])
def test_packed_files(osprey: Command, here: Path, name: str) -> None:
    (here / name).write_bytes(b"PK\x03\x04" + bytes(20))
    done = osprey("convert", "--input", name, "--to", "csv", "--output", "o.csv")
    assert (done.code, done.out) == (2, "")
    assert done.err == f"osprey convert: '{name}' is packed (ZIP): unpack it and name the folder\n"
    assert not (here / "o.csv").exists()


def test_hints_fit_the_command(osprey: Command, here: Path) -> None:
    (here / "set").mkdir()
    to = ("--to", "csv", "--output", "o.csv")
    for form in ("coco", "yolo", "megadetector", "csv", "cvat", "roboflow_csv"):
        done = osprey("convert", "--input", "set", "--from", form, *to)
        assert done.code == 2
        assert "--input" in done.err
        assert "data." not in done.err.replace("data.yaml", "")


def test_photos_that_are_not_there_are_told(here: Path, osprey: Callable[..., Result]) -> None:
    content = {
        "images": [{"id": n, "file_name": f"{n}.jpg", "width": 40, "height": 30} for n in range(2)],
        "categories": [{"id": 1, "name": "cod"}],
        "annotations": [{"id": 1, "image_id": 0, "category_id": 1, "bbox": [1, 2, 9, 9]}],
    }
    (here / "in").mkdir()
    (here / "in" / "a.json").write_text(json.dumps(content))
    result = osprey("convert", "--input", "in/a.json", "--to", "coco", "--output", "out.json")
    assert result.code == 0, result.err
    assert (
        "not under 'in': 2 of 2 photos such as '0.jpg'; sizes are taken as declared" in result.err
    )
