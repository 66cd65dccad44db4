"""Photos with boxes become a manifest, by form; they are mended; whatever is wrong is told."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
import pytest
from conftest import real_data
from helpers import data_config, groups_straddle, quick, write_photo
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from osprey.data.box_column import Box
from osprey.data.formats.mend import mend_annotations, mend_boxes
from osprey.data.formats.table import Collector
from osprey.data.manifest import Manifest, complete
from osprey.data.prepare import Prepared, prepare
from osprey.data.readers import read_manifest
from osprey.errors import DataError
from osprey.imaging.boxes import clip
from osprey.tasks.detection.coco import coco_metrics
from osprey.tasks.detection.outputs import true_boxes


def read(root: Path, data: str, **changes: object) -> tuple[Manifest, list[str]]:
    notices: list[str] = []
    return read_manifest(data_config(root, data, **changes), notices), notices


def refusal(root: Path, data: str, **changes: object) -> str:
    with pytest.raises(DataError) as caught:
        read_manifest(data_config(root, data, **changes), [])
    assert "\n" not in str(caught.value)
    return str(caught.value)


def prepared(root: Path, data: str, **changes: object) -> Prepared:
    return prepare(data_config(root, data, **changes), root.parent / "cache")


def boxes_of(manifest: Manifest) -> dict[str, list[Box]]:
    return dict(zip(manifest.table["path"], manifest.box_lists, strict=True))


def splits_of(manifest: Manifest) -> dict[str, str]:
    return dict(zip(manifest.table["path"], manifest.table["split"], strict=True))


def coco(**changes: Any) -> dict[str, Any]:
    """Three photos of 16 x 12 pixels, the last without a box."""
    images = [{"id": i, "file_name": f"{i}.png", "width": 16, "height": 12} for i in (1, 2, 3)]
    boxes = [
        {"id": 1, "image_id": 1, "category_id": 1, "bbox": [1, 2, 3, 4]},
        {"id": 2, "image_id": 1, "category_id": 2, "bbox": [0, 0, 16, 12]},
        {"id": 3, "image_id": 2, "category_id": 1, "bbox": [5, 5, 2.5, 2]},
    ]
    categories = [{"id": 1, "name": "cod"}, {"id": 2, "name": "eel"}]
    return {"images": images, "annotations": boxes, "categories": categories} | changes


def put(root: Path, content: object, name: str = "boxes.json") -> Path:
    root.mkdir(parents=True, exist_ok=True)
    (root / name).parent.mkdir(exist_ok=True)
    text = content if isinstance(content, str) else json.dumps(content, indent=1)
    (root / name).write_text(text)
    return root / name


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for number in (1, 2, 3):
        write_photo(tmp_path / "photos" / f"{number}.png", level=number)
    return tmp_path / "photos"


def test_coco_becomes_a_manifest(root: Path) -> None:
    put(root, coco())
    write_photo(root / "stray.png")
    manifest, notices = read(root, "coco")
    assert manifest.target.name == "boxes"
    assert manifest.classes == ["cod", "eel"]
    assert manifest.table["label"].tolist() == ["eel", "cod", "nothing"], "the rarest class"
    assert manifest.table[["width", "height"]].to_numpy().tolist() == [[16, 12]] * 3
    corners, labels = manifest.boxes(0)
    assert corners.dtype == np.float32
    assert corners.tolist() == [[1, 2, 4, 6], [0, 0, 16, 12]]
    assert labels == ["cod", "eel"]
    assert manifest.boxes(2)[0].shape == (0, 4)
    assert notices == ["left out, named by no annotation: 1 photo such as 'stray.png'"]


def test_a_manifest_with_boxes_comes_back_from_its_file(root: Path, tmp_path: Path) -> None:
    put(root, coco())
    manifest, _ = read(root, "coco")
    manifest.write(tmp_path / "manifest.csv")
    again, _ = read(root, "table", file=str(tmp_path / "manifest.csv"))
    assert again.target.name == "boxes"
    assert boxes_of(again) == boxes_of(manifest)
    assert again.digest() == manifest.digest()
    moved = manifest.with_boxes([[("cod", 1, 2, 3, 5)], [], []])
    assert moved.digest() != manifest.digest()


def test_one_coco_file_a_split(root: Path, tmp_path: Path) -> None:
    for split, name in {"train": "train2017", "val": "val2017"}.items():
        write_photo(tmp_path / "set" / name / "a.png")
        image = [{"id": 1, "file_name": "a.png"}]
        content = coco(images=image, annotations=[])
        put(tmp_path / "set", content, f"annotations/instances_{name}.json")
        put(tmp_path / "robo", content, f"{split}/_annotations.coco.json")
        write_photo(tmp_path / "robo" / split / "a.png")
    manifest, _ = read(tmp_path / "set", "coco")
    assert splits_of(manifest) == {"train2017/a.png": "train", "val2017/a.png": "val"}
    manifest, _ = read(tmp_path / "robo", "coco")
    assert splits_of(manifest) == {"train/a.png": "train", "val/a.png": "val"}


def test_camera_traps_split_by_location(tmp_path: Path) -> None:
    images = [
        {"id": f"i{i}", "file_name": f"{i}.png", "location": i % 6, "seq_id": f"s{i}"}
        for i in range(40)
    ]
    boxes = [
        {"id": i, "image_id": f"i{i}", "category_id": 1 + i % 2, "bbox": [1, 1, 4, 4]}
        for i in range(0, 40)
        if i % 5
    ]
    boxes.append({"id": 99, "image_id": "i0", "category_id": 0})  # said to be empty
    boxes.append({"id": 98, "image_id": "i5", "category_id": 1})  # an animal, not boxed
    images[10]["corrupt"] = True
    empty = [{"id": 0, "name": "empty"}, *coco()["categories"]]
    put(tmp_path / "set", coco(images=images, annotations=boxes, categories=empty))
    for number in range(40):
        write_photo(tmp_path / "set" / f"{number}.png")
    done = prepared(tmp_path / "set", "coco", group="location", check_files=False)
    assert len(done.manifest.table) == 38
    assert not groups_straddle(done.manifest)
    assert done.manifest.table["group"].nunique() == 6
    assert done.notices[:2] == [
        "left out, named but not boxed: 1 photo",
        "left out, marked as failed or corrupt: 1 photo such as '10.png'",
    ]


def voc(*objects: tuple[str, float, float, float, float], name: str = "x.png") -> str:
    parts = [
        f"<object><name>{label}</name><bndbox><xmin>{a}</xmin><ymin>{b}</ymin>"
        f"<xmax>{c}</xmax><ymax>{d}</ymax></bndbox></object>\n"
        for label, a, b, c, d in objects
    ]
    size = "<size><width>16</width><height>12</height></size>"
    return f"<annotation>\n<filename>{name}</filename>\n{size}\n{''.join(parts)}</annotation>\n"


@pytest.fixture
def voc_set(tmp_path: Path) -> Path:
    root = tmp_path / "voc"
    for name in "abcde":
        write_photo(root / "JPEGImages" / f"{name}.png")
    put(root, voc(("cod", 1, 2, 4, 6)), "Annotations/a.xml")
    put(root, voc(("eel", 0, 0, 16, 12), ("cod", 5, 5, 7.5, 7)), "Annotations/b.xml")
    put(root, voc(), "Annotations/c.xml")
    put(root, voc(("cod", 1, 1, 2, 2)), "Annotations/e.xml")
    lists = root / "ImageSets" / "Main"
    lists.mkdir(parents=True)
    (lists / "train.txt").write_text("a\nb\n")
    (lists / "val.txt").write_bytes(b"c\r\nd\r\n")
    (lists / "trainval.txt").write_text("a\nb\nc\nd\n")
    return root


def test_voc_with_its_lists(voc_set: Path) -> None:
    manifest, notices = read(voc_set, "voc")
    assert splits_of(manifest) == {
        "JPEGImages/a.png": "train", "JPEGImages/b.png": "train",
        "JPEGImages/c.png": "val", "JPEGImages/d.png": "val",
    }  # fmt: skip
    assert boxes_of(manifest)["JPEGImages/b.png"] == [("eel", 0, 0, 16, 12), ("cod", 5, 5, 2.5, 2)]
    assert notices == [
        "VOC's pixels count from 0, as a box begins at 0 (data.origin=1 if not)",
        "no XML file, taken as photos of nothing: 1 photo such as 'JPEGImages/d.png'",
        "left out, in no split's list: 1 photo such as 'JPEGImages/e.png'",
    ]


def test_voc_beside_the_photos(tmp_path: Path) -> None:
    for split in ("train", "valid"):
        write_photo(tmp_path / split / "a.png")
        put(tmp_path, voc(("cod", 1, 2, 4, 6)), f"{split}/a.xml")
    assert splits_of(read(tmp_path, "voc")[0]) == {"train/a.png": "train", "valid/a.png": "val"}


YOLO = "names: [cod, no]\ntrain: {}\nval: {}\n"


@pytest.mark.parametrize("layout", ["images/{}", "{}/images", "../{}/images"])
def test_yolo_in_both_layouts(tmp_path: Path, layout: str) -> None:
    for split in ("train", "val"):
        folder = tmp_path / "set" / layout.removeprefix("../").format(split)
        write_photo(folder / "a b.png", size=(10, 20))
        labels = Path(str(folder).replace("images", "labels"))
        labels.mkdir(parents=True)
        (labels / "a b.txt").write_text("1 0.5 0.5 0.5 0.4\n\n0 0.25 0.5 0.1 0.1 0.9\n")
        write_photo(folder / "bare.png", size=(10, 20))
    put(tmp_path / "set", YOLO.format(layout.format("train"), layout.format("val")), "data.yaml")
    manifest, notices = read(tmp_path / "set", "yolo")
    assert sorted(manifest.table["split"]) == ["train", "train", "val", "val"]
    assert manifest.box_lists[0] == [("no", 5, 3, 10, 4), ("cod", 4, 4.5, 2, 1)]
    assert manifest.classes == ["cod", "no"]
    assert notices[0].startswith("no text file of boxes, taken as photos of nothing: 2 photos")


def test_megadetector_as_a_source_of_boxes(root: Path) -> None:
    found = [
        {"category": "1", "conf": 0.9, "bbox": [0.25, 0.5, 0.5, 0.25]},
        {"category": "1", "conf": 0.1, "bbox": [0, 0, 1, 1]},
    ]
    images = [
        {"file": "1.png", "detections": found},
        {"file": "2.png", "detections": None, "failure": "Failure image access"},
        {"file": "3.png", "detections": []},
    ]
    info = {"format_version": "1.6"}
    put(root, {"info": info, "detection_categories": {"1": "animal"}, "images": images})
    manifest, notices = read(root, "megadetector", file="boxes.json")
    assert boxes_of(manifest) == {"1.png": [("animal", 4, 6, 8, 3)], "3.png": []}
    assert notices == [
        "left out, boxes of a score below 0.2: 1",
        "left out, marked as failed or corrupt: 1 photo such as '2.png'",
    ]


def test_a_table_with_one_row_a_box(root: Path) -> None:
    lines = "image,label,left,y,w,h,boat\n1.png,cod,1,2,3,4,A\n1.png,eel,0,0,9,9,A\n3.png,,,,,,B\n"
    put(root, lines, "boxes.csv")
    names = {"path": "image", "label": "label", "x": "left", "y": "y", "w": "w", "h": "h"}
    manifest, notices = read(root, "boxes", file="boxes.csv", columns=names)
    assert boxes_of(manifest) == {
        "1.png": [("cod", 1, 2, 3, 4), ("eel", 0, 0, 9, 9)],
        "3.png": [],
    }
    assert manifest.table["boat"].tolist() == ["A", "B"]
    assert notices == ["left out, named by no annotation: 1 photo such as '2.png'"]


def test_harbour_has_boxes(tmp_path: Path) -> None:
    manifest, _ = read(tmp_path / "harbour", "harbour_boxes", render_count=48)
    plain, _ = read(tmp_path / "harbour", "harbour", render_count=48)
    assert manifest.table["path"].tolist() == plain.table["path"].tolist()
    assert manifest.table["group"].tolist() == plain.table["group"].tolist()
    assert "NoF" not in manifest.classes
    assert not any(manifest.where(plain.table["label"] == "NoF").box_lists)
    assert set(plain.classes) - {"NoF"} == set(manifest.classes)


def one_photo(*boxes: Box, width: int = 100, height: int = 50) -> Manifest:
    table = pd.DataFrame({"path": ["a.png"], "width": width, "height": height, "boxes": "[]"})
    return complete(table, Path("photos"), "photos").with_boxes([list(boxes)])


def test_boxes_are_mended_and_named() -> None:
    manifest, touched = mend_boxes(
        one_photo(
            ("fine", 0, 0, 100, 50),
            ("over", 90, -5, 20, 10),
            ("wrong", 40, 30, -10, -20),
            ("both", 20, 10, -40, 10),
            ("flat", 10, 10, 5, 0),
            ("gone", 120, 10, 5, 5),
            ("round", 0, 0, 100.004, 50),
        ),
        notices := [],
    )
    assert manifest.box_lists[0] == [
        ("fine", 0, 0, 100, 50),
        ("over", 90, 0, 10, 5),
        ("wrong", 30, 10, 10, 20),
        ("both", 0, 10, 20, 10),
        ("round", 0, 0, 100, 50),
    ]
    assert dict(zip(touched["label"], touched["what"], strict=True)) == {
        "over": "clipped", "wrong": "turned", "both": "turned and clipped",
        "flat": "dropped: no area", "gone": "dropped: outside",
    }  # fmt: skip
    assert touched.iloc[0].tolist() == ["a.png", "over", 90, -5, 20, 10, "clipped"]
    assert notices == [
        "boxes mended, listed in boxes_mended.csv: 1 clipped, 1 turned, 1 turned and clipped, "
        "1 dropped: no area, 1 dropped: outside"
    ]


def test_a_box_that_is_there_twice_counts_once() -> None:
    """Else a detector that is always right misses half of them."""
    twice = [("a", 1, 2, 30, 20), ("b", 1, 2, 30, 20), ("a", 1.0001, 2, 30, 20), ("a", 5, 5, 9, 9)]
    manifest, touched = mend_boxes(one_photo(*twice), notices := [])
    assert manifest.box_lists[0] == [twice[0], twice[1], twice[3]], "of another class it is another"
    assert notices == ["boxes mended, listed in boxes_mended.csv: 1 dropped: there twice"]
    assert touched["what"].tolist() == ["dropped: there twice"]
    true = true_boxes(manifest, 0, ["a", "b"])
    assert coco_metrics([true], [true], 2).scalars["ap50"] == 1.0


number = st.floats(-200, 200).map(lambda v: round(v, 3))


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.just("a"), number, number, number, number), max_size=4))
def test_mended_boxes_need_no_mending(boxes: list[Box]) -> None:
    once, touched = mend_boxes(one_photo(*boxes), [])
    corners, _ = once.boxes(0)
    assert (corners == clip(corners, 100, 50)).all()
    assert (corners[:, 2:] > corners[:, :2]).all()
    again, untouched = mend_boxes(once, [])
    assert again.box_lists == once.box_lists
    assert untouched.empty
    assert len(corners) + touched["what"].str.startswith("dropped").sum() == len(boxes)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.just("a"), number, number, number, number), max_size=4))
def test_boxes_are_mended_alike_before_there_is_a_manifest(boxes: list[Box]) -> None:
    found = Collector(Path("photos"))
    row = found.image("a.png", 100, 50)
    for place, (label, *sides) in enumerate(boxes):
        found.box(row, label, tuple(sides), place / 10)  # type: ignore[arg-type]
    mended, touched = mend_annotations(found.done())
    expected, expected_touched = mend_boxes(one_photo(*boxes), [])
    assert touched.to_numpy().tolist() == expected_touched.to_numpy().tolist()
    kept = [(b.label, *(round(v, 3) for v in (b.x, b.y, b.w, b.h))) for b in mended.box_rows()]
    assert kept == expected.box_lists[0]
    assert mended.boxes["score"].is_monotonic_increasing, "each keeps its own"


def test_boxes_on_photos_of_unknown_size_are_left_alone() -> None:
    found = Collector(Path("photos"))
    found.box(found.image("a.png", failure="torn"), "a", (-5, 0, 1000, 2))
    mended, touched = mend_annotations(found.done())
    assert mended.boxes[["x", "w"]].to_numpy().tolist() == [[-5, 1000]]
    assert touched.empty


def test_classes_are_kept_and_merged(voc_set: Path) -> None:
    done = prepared(voc_set, "voc", classes=["cod"], single_class="fish", check_files=False)
    assert done.manifest.classes == ["fish"], "one class is enough to detect"
    assert done.manifest.box_counts() == {"train": {"fish": 2}, "val": {}, "test": {}}
    assert len(done.manifest.table) == 4, "photos left without boxes stay"
    done = prepared(voc_set, "voc", classes=["eel"], check_files=False)
    assert done.manifest.counts()["train"] == {"nothing": 1, "eel": 1}


def test_a_single_class_needs_boxes(photos: Path) -> None:
    with pytest.raises(DataError, match=r"^data\.single_class goes with photos that have boxes"):
        prepared(photos, "folder", single_class="thing")


def test_unreadable_photos_are_listed_not_taken_for_empty_ones(root: Path) -> None:
    (root / "2.png").write_bytes(b"no picture")
    first, _, last = coco()["annotations"]
    put(root, coco(annotations=[first, last, {**first, "image_id": 3}]))
    config = data_config(root, "coco", val_fraction=0.4, test_fraction=0.0)
    done = prepare(config, root.parent / "cache")
    assert list(done.unreadable) == ["2.png"]
    assert len(done.manifest.table) == 2


def test_boxes_on_photos_that_were_made_smaller(root: Path) -> None:
    images = [{"id": i, "file_name": f"{i}.png", "width": 160, "height": 120} for i in (1, 2, 3)]
    put(root, coco(images=images, annotations=[coco()["annotations"][2]]))
    manifest, notices = read(root, "coco")
    assert manifest.box_lists[1] == [("cod", 0.5, 0.5, 0.25, 0.2)]
    assert manifest.table["width"].tolist() == [16] * 3
    assert notices == [
        "boxes scaled to the photos' size: 3, first '1.png' (declared 160 x 120, the photo 16 x 12)"
    ]


def test_boxes_on_photos_that_are_shown_turned(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(np.zeros((12, 16, 3), np.uint8)).save(tmp_path / "1.jpg", exif=exif)
    image = {"id": 1, "file_name": "1.jpg", "width": 16, "height": 12}
    box = {"id": 1, "image_id": 1, "category_id": 1}
    for bbox in ([1, 1, 14, 3], [1, 1, 3, 3]):  # fits as stored alone, or both ways
        put(tmp_path, coco(images=[image], annotations=[{**box, "bbox": bbox}]))
        assert refusal(tmp_path, "coco") == (
            "photos whose width and height are declared the other way round, as they are stored "
            "where EXIF turns them: 1, such as '1.jpg' (declared 16 x 12, the photo 12 x 16): "
            "where the boxes fit the photo as shown, correct width and height; else save the "
            "photos upright and without the tag, as they were annotated"
        )
    put(tmp_path, coco(images=[image], annotations=[{**box, "bbox": [1, 1, 3, 14]}]))
    manifest, notices = read(tmp_path, "coco")
    assert manifest.box_lists == [[("cod", 1, 1, 3, 14)]]
    assert notices == [
        "boxes taken to fit photos as EXIF turns them: 1, first '1.jpg' (declared 16 x 12, the "
        "photo 12 x 16)"
    ]
    put(tmp_path, coco(images=[{**image, "width": 12, "height": 16}], annotations=[]))
    manifest, notices = read(tmp_path, "coco")
    assert manifest.table[["width", "height"]].to_numpy().tolist() == [[12, 16]]
    assert notices == []


def _coco_text(old: str, new: str) -> str:
    text = json.dumps(coco(), indent=1)
    assert old in text
    return text.replace(old, new)


BAD_COCO = {
    "'{file}' line 3, column 1: malformed JSON (Expecting value)": '{\n"images":\n}',
    "'{file}' line 1: expected a JSON object {{...}}": "[]",
    "'{file}' is no COCO file: it has no list 'images'": "{}",
    "'{file}' line 37: category_id 9 is not among the categories (1 cod, 2 eel)": _coco_text(
        '"category_id": 2', '"category_id": 9'
    ),
    "'{file}' line 47: image_id 77 is not among the images": _coco_text(
        '"image_id": 2', '"image_id": 77'
    ),
    "'{file}' line 17: there is no photo 'gone.png' under '{root}' (1 of 3 are missing); "
    "is data.root right? (data.missing=skip leaves them out)": _coco_text('"3.png"', '"gone.png"'),
    "'{file}' line 5: '1.png' is listed twice (1 such photos)": _coco_text('"2.png"', '"1.png"'),
    "'{file}': two entries of 'images' have the id 1": _coco_text(
        '"id": 2,\n   "f', '"id": 1,\n   "f'
    ),
    "'{file}', annotation 3 of image 2: a box needs four numbers, not '[5, 5, None, 2]'": (
        _coco_text("2.5", "null")
    ),
    "annotated at another shape than the photo has: '1.png' (declared 17 x 12, the photo 16 x "
    "12)": (_coco_text('"width": 16', '"width": 17')),
}


@pytest.mark.parametrize("message", BAD_COCO)
def test_bad_coco(root: Path, message: str) -> None:
    file = put(root, BAD_COCO[message])
    assert refusal(root, "coco") == message.format(file=file, root=root)


BAD_VOC = {
    "'{file}' line 4: malformed XML (mismatched tag)": voc().replace("</annotation>", "</oops>"),
    "'{file}' line 2: has a DOCTYPE, which annotations do not need and which is not read for "
    "safety; remove it": '<?xml version="1.0"?>\n<!DOCTYPE a [<!ENTITY b "c">]>\n' + voc(),
    "'{file}' line 1: <html> where <annotation> is expected": "<html></html>",
    "'{file}' line 4: an <object> without a <name>": voc(("", 1, 1, 2, 2)),
    "'{file}' line 4: a box needs four numbers, not \"['1', '1', 'two', '2']\"": voc(
        ("cod", 1, 1, "two", 2)  # type: ignore[arg-type]
    ),
}


@pytest.mark.parametrize("message", BAD_VOC)
def test_bad_voc(voc_set: Path, message: str) -> None:
    file = put(voc_set, BAD_VOC[message], "Annotations/a.xml")
    assert refusal(voc_set, "voc") == message.format(file=file)


def test_voc_names_what_is_missing(voc_set: Path) -> None:
    file = put(voc_set, voc(name="gone.png"), "Annotations/gone.xml")
    _, notices = read(voc_set, "voc")
    left_out = (
        "left out, boxes without their photo: 1 file, 'gone.xml' (data.strict=true stops there)"
    )
    assert left_out in notices
    assert refusal(voc_set, "voc", strict=True) == (
        f"'{file}' line 2: there is no photo 'gone.png' in '{voc_set / 'JPEGImages'}'"
    )
    file.unlink()
    listed = put(voc_set, "a\nlost\n", "ImageSets/Main/train.txt")
    assert refusal(voc_set, "voc") == f"'{listed}' line 2: there is no photo 'lost'"


BAD_YOLO = {
    "'{file}' line 2: class 7 is not among the names (0 cod)": "0 .5 .5 .1 .1\n7 .5 .5 .1 .1\n",
    "'{file}' line 1: 3 numbers where a box has 5: class x y w h": "0 0.5 0.5\n",
    "'{file}' line 1: a box needs four numbers, not \"['.5', 'x', '.1', '.1']\"": "0 .5 x .1 .1\n",
}


@pytest.mark.parametrize("message", BAD_YOLO)
def test_bad_yolo(tmp_path: Path, message: str) -> None:
    put(tmp_path, "names: [cod]\ntrain: images\n", "data.yaml")
    write_photo(tmp_path / "images" / "a.png")
    file = put(tmp_path, BAD_YOLO[message], "labels/a.txt")
    assert refusal(tmp_path, "yolo") == message.format(file=file)


def test_bad_data_yaml(tmp_path: Path) -> None:
    write_photo(tmp_path / "images" / "a.png")
    orphan = put(tmp_path, "", "labels/b.txt")
    file = put(tmp_path, "names: [cod]\ntrain: images\n", "data.yaml")
    wrong = f"'{orphan}' line 1: there is no photo for these boxes"
    assert refusal(tmp_path, "yolo", strict=True) == wrong
    put(tmp_path, "names: [cod]\ntrain: imagse\n", "data.yaml")
    assert refusal(tmp_path, "yolo") == f"'{file}' line 2: there is no 'imagse' under '{tmp_path}'"
    put(tmp_path, "a: 1\nnames: cod\n", "data.yaml")
    assert refusal(tmp_path, "yolo") == f"'{file}' line 2: 'names' is no list of class names"
    put(tmp_path, "a: 1\nb: [1\n", "data.yaml")
    assert refusal(tmp_path, "yolo").startswith(f"'{file}' line 3: malformed YAML (")


def test_bad_tables(root: Path) -> None:
    file = put(root, "path,label,x,y,w\n", "boxes.csv")
    assert refusal(root, "boxes", file="boxes.csv") == (
        f"'{file}' has no column 'h' (it has: path, label, x, y, w); rename it, or for "
        "training name yours with data.columns.h=COLUMN"
    )
    put(root, "path,label,x,y,w,h\n1.png,cod,1,2,3,4\n2.png,cod,1,,3,4\n", "boxes.csv")
    assert refusal(root, "boxes", file="boxes.csv") == (
        f"'{file}' line 3: a box needs label, x, y, w and h; leave out all five for none"
    )
    put(root, "path,label,x,y,w,h\n1.png,cod,1,2,3,4\ngone.png,cod,1,2,3,4\n", "boxes.csv")
    assert refusal(root, "boxes", file="boxes.csv") == (
        f"'{file}' line 3: there is no photo 'gone.png' under '{root}' (1 of 2 are missing); "
        "is data.root right? (data.missing=skip leaves them out)"
    )


def test_photos_that_are_not_there_are_left_out_where_that_is_asked(root: Path) -> None:
    rows = "path,label,x,y,w,h\ngone.png,cod,1,2,3,4\n1.png,cod,1,2,3,4\n1.png,eel,5,2,3,4\n"
    put(root, rows, "boxes.csv")
    notices: list[str] = []
    config = data_config(root, "boxes", file="boxes.csv", missing="skip")
    manifest = read_manifest(config, notices)
    assert {path: len(of) for path, of in boxes_of(manifest).items()} == {"1.png": 2}
    assert "left out, not there (data.missing=skip): 1 photo such as 'gone.png'" in notices
    put(root, "path,label,x,y,w,h\ngone.png,cod,1,2,3,4\n", "boxes.csv")
    said = refusal(root, "boxes", file="boxes.csv", missing="skip")
    assert said.endswith("(1 of 1 are missing); is data.root right?")


def test_tables_without_the_needed_columns(root: Path) -> None:
    file = put(root, "photo,lable,left,y,w,h\n1.png,cod,1,2,3,4\n", "boxes.csv")
    assert refusal(root, "boxes", file="boxes.csv") == (
        f"'{file}' has no columns 'path', 'label', 'x'; did you mean 'lable'? (it has: photo, "
        "lable, left, y, w, h); rename it, or for training name yours with "
        "data.columns.path=COLUMN data.columns.label=COLUMN data.columns.x=COLUMN"
    )
    names = {"path": "photo", "label": "lable", "x": "lft"}
    assert refusal(root, "boxes", file="boxes.csv", columns=names) == (
        f"'{file}' has no column 'lft'; did you mean 'left'? (it has: photo, lable, left, y, w, "
        "h); rename it, or for training name yours with data.columns.x=COLUMN"
    )


def test_columns_that_change_places(root: Path) -> None:
    lines = "path,label,species,x,y,w,h\n1.png,thing,cod,2,1,4,3\n"
    put(root, lines, "boxes.csv")
    names = {"label": "species", "x": "y", "y": "x", "w": "h", "h": "w"}
    manifest, _ = read(root, "boxes", file="boxes.csv", columns=names)
    assert manifest.box_lists[0] == [("cod", 1, 2, 3, 4)]


def test_bad_megadetector_output(root: Path) -> None:
    file = put(root, coco())
    assert refusal(root, "megadetector", file="boxes.json") == (
        f"'{file}' is no MegaDetector output: it has no 'detection_categories' and 'images'"
    )
    found = [{"category": "4", "conf": 0.9, "bbox": [0, 0, 1, 1]}]
    images = [{"file": "1.png", "detections": found}]
    put(root, {"detection_categories": {"1": "animal"}, "images": images})
    assert refusal(root, "megadetector", file="boxes.json") == (
        f"'{file}' line 7: category '4' is not among the categories (1 animal)"
    )


MEGADETECTOR = {
    "info": {"format_version": "1.6"},
    "detection_categories": {"1": "animal"},
    "classification_categories": {"7": "cod"},
    "images": [
        {
            "file": "1.png",
            "frame_num": 3,
            "detections": [
                {
                    "category": "1",
                    "conf": 0.9,
                    "bbox": [0, 0, 1, 1],
                    "classifications": [["7", 0.5]],
                }
            ],
        }
    ],
}
JUNK = [None, [], {}, "x", "", -1, 1e300, float("nan"), True, [[]], {"id": 1}, 10**400]


@st.composite
def spoilt(draw: st.DrawFn, content: object) -> object:
    """JSON like ``content`` with junk in one place."""
    if isinstance(content, dict | list) and content and draw(st.integers(0, 9)):
        keys = list(content) if isinstance(content, dict) else range(len(content))
        spot = draw(st.sampled_from(keys))
        pairs = content.items() if isinstance(content, dict) else enumerate(content)
        changed = {key: draw(spoilt(value)) if key == spot else value for key, value in pairs}
        return changed if isinstance(content, dict) else list(changed.values())
    return draw(st.sampled_from(JUNK))


@pytest.mark.parametrize(
    ("data", "content"), [("coco", coco()), ("megadetector", MEGADETECTOR)], ids=["coco", "md"]
)
@settings(quick, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(draw=st.data())
def test_junk_is_refused_in_one_line(
    root: Path, data: str, content: object, draw: st.DataObject
) -> None:
    put(root, draw.draw(spoilt(content)))
    try:
        read(root, data, file="boxes.json")
    except DataError as error:
        assert "\n" not in str(error)


def test_no_boxes_at_all(root: Path) -> None:
    put(root, coco(annotations=[]))
    with pytest.raises(DataError) as caught:
        prepared(root, "coco", val_fraction=0.4, test_fraction=0.0)
    assert str(caught.value) == (f"no photo under '{root}' has a box: there is nothing to learn")


@pytest.mark.real_data
def test_blood_cells() -> None:
    root = real_data("blood_cells", "BCCD")
    manifest, notices = read(root, "blood_cells")
    assert (len(manifest.table), sum(map(len, manifest.box_lists))) == (364, 4888)
    assert notices == ["VOC's pixels count from 1, as no box begins at 0 (data.origin=0 if not)"]
    assert {s: sum(n.values()) for s, n in manifest.counts().items()} == {
        "train": 205, "val": 87, "test": 72
    }  # fmt: skip
    mended, touched = mend_boxes(manifest, notices)
    assert sum(map(len, mended.box_lists)) == 4886
    assert [Path(p).stem[-5:] for p in touched["path"]] == ["00338", "00343"]
    assert set(touched["what"]) == {"dropped: no area"}
    assert mended.classes == ["Platelets", "RBC", "WBC"]
    photo = cv2.imread(str(root / manifest.table["path"][0]))
    assert photo.shape[:2] == (manifest.table["height"][0], manifest.table["width"][0])


def test_photos_of_nothing_but_crowds_are_no_photos_of_nothing(root: Path) -> None:
    content = coco()
    first = content["images"][0]["id"]
    of_first = [item for item in content["annotations"] if item["image_id"] == first]
    assert of_first
    for item in of_first:
        item["iscrowd"] = 1
    (root / "boxes.json").write_text(json.dumps(content))
    manifest, notices = read(root, "coco", file="boxes.json")
    assert content["images"][0]["file_name"] not in "".join(manifest.table["path"])
    assert len(manifest.table) == len(content["images"]) - 1
    assert notices == [
        f"left out, boxes round crowds (iscrowd): {len(of_first)}",
        "left out, no boxes but round crowds: 1 photo",
    ], "a photo that an annotation names is not told as one that none does"
