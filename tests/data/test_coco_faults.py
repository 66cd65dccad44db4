"""COCO files as tools really write them, each read with the right boxes, each guess told."""

from __future__ import annotations

import json
import unicodedata
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from faster_coco_eval.core import mask
from helpers import data_config, quick, write_photo
from hypothesis import given, settings
from hypothesis import strategies as st

from osprey.data.box_column import Box, box_texts, boxes_text
from osprey.data.formats.outlines import outline_box
from osprey.data.formats.registry import read_annotations
from osprey.data.manifest import Manifest
from osprey.data.photo_paths import PhotoPaths
from osprey.data.prepare import prepare
from osprey.data.readers import read_manifest
from osprey.errors import DataError
from osprey.imaging.masks import rle_box, rle_counts

SIZE = {"width": 16, "height": 12}
CATEGORIES = [{"id": 1, "name": "cod"}, {"id": 2, "name": "eel"}]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for number in (1, 2, 3):
        write_photo(tmp_path / "set" / f"{number}.png", level=number)
    return tmp_path / "set"


def read(root: Path, data: str, **changes: object) -> tuple[Manifest, list[str]]:
    notices: list[str] = []
    return read_manifest(data_config(root, data, **changes), notices), notices


def boxes_of(manifest: Manifest) -> dict[str, list[Box]]:
    return dict(zip(manifest.table["path"], manifest.box_lists, strict=True))


def put(root: Path, boxes: list[dict[str, Any]], **more: Any) -> Path:
    images = [{"id": n, "file_name": f"{n}.png", **SIZE} for n in (1, 2, 3)]
    start = {"image_id": 1, "category_id": 1}
    found = [{"id": n, **start, **box} for n, box in enumerate(boxes, start=1)]
    content = {"images": images, "annotations": found, "categories": CATEGORIES, **more}
    (root / "boxes.json").write_text(json.dumps(content))
    return root / "boxes.json"


@pytest.mark.parametrize("mark", ["0", 0, 0.0, False, "false", "", None, "0.0"])
def test_no_crowd_however_it_is_written(root: Path, mark: object) -> None:
    put(root, [{"bbox": [1, 2, 3, 4], "iscrowd": mark}])
    manifest, notices = read(root, "coco")
    assert boxes_of(manifest)["1.png"] == [("cod", 1, 2, 3, 4)]
    assert notices == []


@pytest.mark.parametrize("mark", ["1", 1, 1.0, True, "true"])
def test_a_crowd_however_it_is_written(root: Path, mark: object) -> None:
    put(root, [{"bbox": [1, 2, 3, 4], "iscrowd": mark}])
    manifest, notices = read(root, "coco")
    assert "1.png" not in boxes_of(manifest)
    assert notices[0] == "left out, boxes round crowds (iscrowd): 1"


@pytest.mark.parametrize(
    ("image", "refers", "guessed"),
    [(3.0, "3", 1), ("3", 3, 1), ("3", 3.0, 1), (3, "3.0", 1), ("003", 3, 1)],
)
def test_ids_of_other_types_match(root: Path, image: Any, refers: Any, guessed: int) -> None:
    images = [{"id": image, "file_name": "3.png", **SIZE}]
    box = {"image_id": refers, "category_id": 2, "bbox": ["1", "2", 3.0, "4.5"]}
    put(root, [box], images=images)
    manifest, notices = read(root, "coco")
    assert boxes_of(manifest) == {"3.png": [("eel", 1, 2, 3, 4.5)]}
    assert guessed == 1
    told = f"ids of another type than the entry's own, matched by value: {guessed}"
    assert told in notices


def test_ids_that_differ_by_type_alone_stay_apart(root: Path) -> None:
    images = [{"id": 1, "file_name": "1.png", **SIZE}, {"id": "1", "file_name": "2.png", **SIZE}]
    boxes = [{"image_id": 1, "bbox": [0, 0, 1, 1]}, {"image_id": "1", "bbox": [0, 0, 2, 2]}]
    put(root, boxes, images=images)
    manifest, _ = read(root, "coco")
    assert boxes_of(manifest) == {"1.png": [("cod", 0, 0, 1, 1)], "2.png": [("cod", 0, 0, 2, 2)]}
    put(root, [{"image_id": 1.5, "bbox": [0, 0, 1, 1]}])
    with pytest.raises(DataError, match=r"line 1: image_id 1\.5 is not among the images$"):
        read(root, "coco")


def test_sizes_as_text(root: Path) -> None:
    images = [{"id": 1, "file_name": "1.png", "width": "16", "height": "12.0"}]
    put(root, [{"bbox": [1, 2, 3, 4]}], images=images)
    assert boxes_of(read(root, "coco")[0]) == {"1.png": [("cod", 1, 2, 3, 4)]}


def test_outlines_without_a_box(root: Path) -> None:
    """Mixed with boxes on one photo, as a polygon, several, a mask as runs and as text."""
    runs = {"size": [12, 16], "counts": [12 * 2 + 3, 4, 12 - 4, 4, 149]}
    boxes: list[dict[str, Any]] = [
        {"bbox": [1, 2, 3, 4]},
        {"segmentation": [[1, 1, 5, 2, 3, 9]], "category_id": 2},
        {"image_id": 2, "segmentation": [[1, 1, 2, 1, 2, 2], [6, 6, 8, 6, 8, 9]], "bbox": []},
        {"image_id": 3, "segmentation": runs, "bbox": None},
    ]
    put(root, boxes)
    manifest, notices = read(root, "coco")
    assert boxes_of(manifest) == {
        "1.png": [("cod", 1, 2, 3, 4), ("eel", 1, 1, 4, 8)],
        "2.png": [("cod", 1, 1, 7, 8)],
        "3.png": [("cod", 2, 3, 2, 4)],
    }
    assert notices == ["boxes taken round the outline or mask, where there is no bbox: 3"]


TORN = [{"size": [12, 16], "counts": text} for text in ("k", "~", "k0 ")]


def test_masks_that_are_none() -> None:
    assert rle_box([0, 30, 162], 12) == (0, 0, 3, 12), "a run over whole columns"
    assert rle_box([192], 12) is None
    for wrong in ([[1, 2, 3]], {"counts": [1]}, [["x", 1]], "abc", [[1e300, 1]], *TORN):
        with pytest.raises(DataError, match=r"^here: an outline is a polygon or a mask, not"):
            outline_box(wrong, "here")


@quick
@given(st.integers(1, 40), st.integers(1, 40), st.floats(0, 1), st.integers(0, 10**6))
def test_masks_as_the_reference_writes_them(
    height: int, width: int, share: float, seed: int
) -> None:
    drawn = np.random.default_rng(seed).random((height, width)) < share
    encoded = mask.encode(np.asfortranarray(drawn, dtype=np.uint8))
    text = encoded["counts"].decode() if isinstance(encoded["counts"], bytes) else encoded["counts"]
    runs = rle_counts(text)
    assert sum(runs) == height * width
    assert sum(runs[1::2]) == drawn.sum()
    box = rle_box(runs, height)
    if not drawn.any():
        assert box is None
    else:
        rows, columns = np.nonzero(drawn)
        sides = columns.max() - columns.min() + 1, rows.max() - rows.min() + 1
        assert box == (columns.min(), rows.min(), *sides)
        assert outline_box({"size": [height, width], "counts": text}, "here") == box


def test_names_that_differ_by_form_or_space_are_one_class(root: Path) -> None:
    name = "S\u00e4ge fisch"
    forms = [name, unicodedata.normalize("NFD", name), f" {name} ", "S\u00e4ge  fisch"]
    categories = [{"id": n, "name": form} for n, form in enumerate(forms, start=1)]
    put(
        root,
        [{"category_id": n, "bbox": [n, 1, 2, 2]} for n in (1, 2, 3, 4)],
        categories=categories,
    )
    manifest, notices = read(root, "coco")
    assert manifest.classes == [name]
    assert len(boxes_of(manifest)["1.png"]) == 4
    assert notices[0] == f"one class '{name}' of several category ids: 1, 2, 3, 4"
    assert notices[1].startswith(f"one class '{name}': ")
    assert len(notices) == 2


def test_two_ids_of_one_name(root: Path) -> None:
    categories = [{"id": 1, "name": "cod"}, {"id": 7, "name": "cod"}]
    boxes = [{"bbox": [1, 1, 2, 2]}, {"bbox": [5, 5, 2, 2], "category_id": 7}]
    put(root, boxes, categories=categories)
    manifest, notices = read(root, "coco")
    assert boxes_of(manifest)["1.png"] == [("cod", 1, 1, 2, 2), ("cod", 5, 5, 2, 2)]
    assert notices == ["one class 'cod' of several category ids: 1, 7"]


def test_file_names_that_match_after_normalisation_alone(tmp_path: Path) -> None:
    here = unicodedata.normalize("NFD", "S\u00e4ge.png")
    write_photo(tmp_path / "set" / here)
    named = unicodedata.normalize("NFC", here)
    put(tmp_path / "set", [{"bbox": [1, 2, 3, 4]}], images=[{"id": 1, "file_name": named, **SIZE}])
    manifest, notices = read(tmp_path / "set", "coco")
    assert manifest.table["path"].tolist() == [here], "the file opened is the one on the disk"
    assert notices == [
        f"found by the end of their path: 1 photo such as '{named}', taken for '{here}'"
    ]


WRITTEN = [
    "D:\\sets\\a\\1.png",
    "/content/set/a/1.png",
    "a\\1.png",
    "sets/old/a/1.png",
    "file/1.png",
]


@pytest.mark.parametrize("name", WRITTEN)
def test_paths_of_another_machine(tmp_path: Path, name: str) -> None:
    root = tmp_path / "set"
    for photo in ("a/1.png", "b/2.png"):
        write_photo(root / photo)
    put(root, [{"bbox": [1, 2, 3, 4]}], images=[{"id": 1, "file_name": name, **SIZE}])
    manifest, notices = read(root, "coco")
    assert boxes_of(manifest) == {"a/1.png": [("cod", 1, 2, 3, 4)]}
    assert notices[0] == (
        f"found by the end of their path: 1 photo such as '{name}', taken for 'a/1.png'"
    )


def test_paths_of_another_machine_that_could_be_two(tmp_path: Path) -> None:
    root = tmp_path / "set"
    for photo in ("a/1.png", "b/1.png"):
        write_photo(root / photo)
    image = {"id": 1, "file_name": "C:\\x\\1.png", **SIZE}
    put(root, [{"bbox": [1, 2, 3, 4]}], images=[image])
    with pytest.raises(DataError, match="there is no photo"):
        read(root, "coco")
    put(root, [{"bbox": [1, 2, 3, 4]}], images=[{**image, "file_name": "C:\\x\\b\\1.png"}])
    assert list(boxes_of(read(root, "coco")[0])) == ["b/1.png"], "the longest end decides"


def test_an_absolute_path_under_the_root(tmp_path: Path) -> None:
    root = tmp_path / "set"
    write_photo(root / "a" / "1.png")
    name = str((root / "a" / "1.png").resolve())
    put(root, [{"bbox": [1, 2, 3, 4]}], images=[{"id": 1, "file_name": name, **SIZE}])
    assert list(boxes_of(read(root, "coco")[0])) == ["a/1.png"]


@pytest.mark.parametrize("style", ["backslashes", "absolute", "windows"])
def test_megadetector_paths(tmp_path: Path, style: str) -> None:
    root = tmp_path / "set"
    write_photo(root / "cam 1" / "1.png")
    name = {
        "backslashes": "cam 1\\1.png",
        "absolute": "/mnt/photos/cam 1/1.png",
        "windows": "E:\\photos\\cam 1\\1.png",
    }[style]
    found = [{"category": "1", "conf": "0.9", "bbox": [0.25, 0.5, 0.5, 0.25]}]
    images = [{"file": name, "detections": found}]
    content = {"detection_categories": {"1": "animal"}, "images": images}
    (root / "md.json").write_text(json.dumps(content))
    manifest, notices = read(root, "megadetector", file="md.json")
    assert boxes_of(manifest) == {"cam 1/1.png": [("animal", 4, 6, 8, 3)]}
    assert notices == [
        f"found by the end of their path: 1 photo such as '{name}', taken for 'cam 1/1.png'"
    ]


def test_camera_traps_label_photos(tmp_path: Path) -> None:
    root = tmp_path / "set"
    images = [
        {"id": f"i{n}", "file_name": f"{n}.png", "location": n % 3, "seq_id": f"s{n}"}
        for n in range(14)
    ]
    labels = [{"id": n, "image_id": f"i{n}", "category_id": 1 + n % 2} for n in range(12)]
    labels.append({"id": 90, "image_id": "i0", "category_id": 2})  # a second animal
    labels.append({"id": 91, "image_id": "i1", "category_id": 2})  # the same again
    images[11]["corrupt"] = True
    for number in range(14):
        write_photo(root / f"{number}.png", level=number)
    put(root, [], images=images, annotations=labels)
    manifest, notices = read(root, "camera_traps", file="boxes.json")
    table = manifest.table.set_index("path")
    assert len(table) == 11
    assert json.loads(str(table.loc["0.png", "labels"])) == ["cod", "eel"], "kept as such"
    assert table.loc["1.png", "label"] == "eel"
    assert str(table.loc["4.png", "location"]) == "1"
    assert notices == [
        "left out, marked as failed or corrupt: 1 photo",
        "left out, without a label: 2 photos",
    ]
    config = data_config(root, "camera_traps", file="boxes.json", check_files=False)
    done = prepare(config, tmp_path / "cache")
    assert "left out, of several labels: 1 photo such as '0.png'" in done.notices
    assert sorted(done.manifest.table["label"].unique()) == ["cod", "eel"]
    assert "0.png" not in set(done.manifest.table["path"])


def test_a_list_of_results(root: Path) -> None:
    put(root, [])
    found = [
        {"image_id": "2", "category_id": 2, "bbox": [1, 2, 3, 4], "score": 0.9},
        {"image_id": 1, "category_id": 1.0, "segmentation": [[1, 1, 5, 2, 3, 9]], "score": 0.8},
        {"image_id": 1, "category_id": 1, "bbox": [0, 0, 2, 2], "score": 0.1},
    ]
    (root / "found").mkdir()
    (root / "found" / "results.json").write_text(json.dumps(found))
    manifest, notices = read(root, "coco_results", file="found/results.json")
    assert boxes_of(manifest) == {
        "1.png": [("cod", 1, 1, 4, 8)], "2.png": [("eel", 1, 2, 3, 4)], "3.png": []
    }  # fmt: skip
    assert notices == [
        f"photos and class names of the results: '{root / 'boxes.json'}'",
        "left out, boxes of a score below 0.2: 1",
    ]
    (root / "boxes.json").unlink()
    manifest, notices = read(root, "coco_results", file="found/results.json")
    assert boxes_of(manifest)["2.png"] == [("class 2", 1, 2, 3, 4)]
    assert notices[0].startswith("no COCO file beside the results: photos are those called as")


def test_a_file_that_is_cut_off(root: Path) -> None:
    file = put(root, [{"bbox": [1, 2, 3, 4]}])
    text = json.dumps(json.loads(file.read_text()), indent=1)
    file.write_text(text[: text.index("3.png") + 3])
    line = text[: text.index("3.png")].count("\n") + 1
    with pytest.raises(DataError) as caught:
        read(root, "coco")
    assert str(caught.value) == (
        f"'{file}' line {line}, column 17: malformed JSON (Unterminated string starting at; the "
        "file ends there)"
    )
    file.write_bytes(b"PK\x03\x04and so on")
    with pytest.raises(DataError, match=r"boxes.json' is packed \(ZIP\): unpack it and name what"):
        read(root, "coco")


def test_a_missing_photo_is_not_taken_for_another_splits(tmp_path: Path) -> None:
    for name in ("val/1.png", "a/2.png", "b/3.png", "3.png"):
        write_photo(tmp_path / name)
    paths = PhotoPaths(tmp_path)
    assert paths.find("train/1.png") is None
    assert paths.find("/content/val/1.png") == "val/1.png"
    assert paths.find("/content/test/val/1.png") == "val/1.png", "the innermost folder says it"
    assert paths.find("C:\\x\\valid\\1.png") == "val/1.png", "called otherwise, the same split"
    assert paths.find("b/2.png") is None, "b is there, and the photo is not in it"
    assert paths.find("c/2.png") == "a/2.png"
    assert paths.find("c/3.png") is None, "two are as near"


def test_what_the_file_names_itself_is_no_guess(root: Path) -> None:
    images = [{"id": n, "file_name": f, **SIZE} for n, f in enumerate(["new/1.png", "1.png"])]
    box = {"id": 7, "image_id": 0, "category_id": 1, "bbox": [1, 2, 3, 4]}
    put(root, [], images=images, annotations=[box])
    with pytest.raises(DataError, match=r"there is no photo 'new/1.png' under"):
        read(root, "coco")
    images[1]["file_name"] = "2.png"
    put(root, [], images=images, annotations=[box])
    assert boxes_of(read(root, "coco")[0])["1.png"] == [("cod", 1, 2, 3, 4)]


def test_results_of_a_name_that_two_photos_share(tmp_path: Path) -> None:
    for name in ("a/1.png", "b/1.png", "2.png", "b/2.png"):
        write_photo(tmp_path / name)
    found = [{"image_id": "2.png", "category_id": 1, "bbox": [1, 2, 3, 4], "score": 0.9}]
    file = tmp_path / "results.json"
    file.write_text(json.dumps(found))
    assert boxes_of(read(tmp_path, "coco_results")[0])["2.png"], "its name as it stands"
    file.write_text(json.dumps([{**found[0], "image_id": 1}]))
    with pytest.raises(DataError) as caught:
        read(tmp_path, "coco_results")
    assert str(caught.value) == (
        f"'{file}': image_id 1 may be 'a/1.png' or 'b/1.png': put the COCO file that has it beside "
        "the results"
    )


NUMBERS = st.floats(-1e6, 1e6) | st.integers(-2000, 2000).map(lambda v: v / 8)


@given(
    st.lists(
        st.lists(st.tuples(st.sampled_from(["cod", 'a "b"', "thé"]), *[NUMBERS] * 4), max_size=4),
        max_size=5,
    )
)
@settings(deadline=None)
def test_boxes_of_many_photos_are_written_as_those_of_one(photos: list[list[Box]]) -> None:
    every = [box for of_photo in photos for box in of_photo]
    sides = np.array([box[1:] for box in every], dtype=np.float64).reshape(-1, 4)
    ends = [0, *np.cumsum([len(of_photo) for of_photo in photos], dtype=int).tolist()]
    assert box_texts([box[0] for box in every], sides, ends) == list(map(boxes_text, photos))


def test_plain_boxes_and_others_are_read_alike(tmp_path: Path) -> None:
    """A chunk of plain boxes is decoded at once, one with a score or a text in it singly."""
    plain = [
        {"id": n, "image_id": 1 + n % 3, "category_id": 1, "bbox": [n, 2.5, 3, 4], "iscrowd": 0}
        for n in range(9)
    ]
    crowd = {"id": 9, "image_id": 3, "category_id": 1, "bbox": [1, 1, 2, 2], "iscrowd": 1}
    images = [{"id": n, "file_name": f"{n}.png", "width": 40, "height": 40} for n in (1, 2, 3)]
    content = {"images": images, "categories": [{"id": 1, "name": "cod"}]}
    made = []
    for last in ({}, {"score": None}, {"note": "x"}, {"difficult": 0}, {"area": "12"}):
        boxes = [*plain[:-1], crowd, {**plain[-1], **last}]
        (tmp_path / "boxes.json").write_text(json.dumps({**content, "annotations": boxes}))
        read = read_annotations(tmp_path / "boxes.json", "coco", tmp_path)
        assert read.notices == ["left out, boxes round crowds (iscrowd): 1"]
        made.append(read.boxes[["image", "label", "x", "y", "w", "h"]].values.tolist())
    assert made[0][:3] == [[0, "cod", n, 2.5, 3, 4] for n in (0, 3, 6)]
    assert all(boxes == made[0] for boxes in made[1:])
