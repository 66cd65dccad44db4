"""YOLO sets as tools really write them, each read with the right boxes, each guess told."""

from __future__ import annotations

from pathlib import Path

import pytest
from helpers import data_config, write_photo

from osprey.data.box_column import Box
from osprey.data.formats.mend import mend_boxes
from osprey.data.manifest import Manifest
from osprey.data.readers import read_manifest
from osprey.errors import DataError

YAML = "names: [cod, eel]\ntrain: images\n"
BOX = "0.5 0.5 0.25 0.5\n"  # of a photo of 16 x 12
COD, EEL = ("cod", 6, 3, 4, 6), ("eel", 6, 3, 4, 6)


def read(root: Path, **changes: object) -> tuple[Manifest, list[str]]:
    notices: list[str] = []
    return read_manifest(data_config(root, "yolo", **changes), notices), notices


def boxes_of(manifest: Manifest) -> dict[str, list[Box]]:
    return dict(zip(manifest.table["path"], manifest.box_lists, strict=True))


def put(root: Path, text: str, yaml: str = YAML, name: str = "a") -> Path:
    """One photo with its text file, and ``data.yaml``."""
    write_photo(root / "images" / f"{name}.png")
    (root / "labels").mkdir(exist_ok=True)
    (root / "labels" / f"{name}.txt").write_text(text)
    if yaml:
        (root / "data.yaml").write_text(yaml)
    return root / "labels" / f"{name}.txt"


@pytest.mark.parametrize(
    "line",
    [
        "1 " + BOX, "1.0 " + BOX, "1.000e+00 " + BOX, "1, 0.5, 0.5, 0.25, 0.5\n",
        "1,0.5,0.5,0.25,0.5", "1;0.5;0.5;0.25;0.5", "eel " + BOX, "1\t0.5\t0.5  0.25 5e-1",
    ],
)  # fmt: skip
def test_lines_however_they_are_written(tmp_path: Path, line: str) -> None:
    put(tmp_path, line)
    manifest, notices = read(tmp_path)
    assert boxes_of(manifest) == {"images/a.png": [EEL]}
    assert notices == []


def test_names_of_several_words(tmp_path: Path) -> None:
    put(tmp_path, f"blue shark {BOX}cod {BOX}1 {BOX}", "names: [cod, blue shark]\ntrain: images\n")
    found = boxes_of(read(tmp_path)[0])["images/a.png"]
    assert found == [("blue shark", *COD[1:]), COD, ("blue shark", *COD[1:])]


def test_names_counted_from_one(tmp_path: Path) -> None:
    """The text files count as the dictionary does, unless they use a 0 and not its last."""
    yaml = "names: {1: cod, 2: eel}\ntrain: images\n"
    put(tmp_path / "same", f"1 {BOX}2 {BOX}", yaml)
    manifest, notices = read(tmp_path / "same")
    assert boxes_of(manifest) == {"images/a.png": [COD, EEL]}
    assert notices == []
    put(tmp_path / "less", f"0 {BOX}1 {BOX}", yaml)
    manifest, notices = read(tmp_path / "less")
    assert boxes_of(manifest) == {"images/a.png": [COD, EEL]}
    assert notices == ["classes: names count from 1, text files from 0: 0 is 'cod' there"]
    file = put(tmp_path / "both", f"0 {BOX}2 {BOX}", yaml)
    with pytest.raises(DataError) as caught:
        read(tmp_path / "both")
    assert str(caught.value) == f"'{file}' line 1: class 0 is not among the names (1 cod, 2 eel)"


def test_a_box_twice_counts_once(tmp_path: Path) -> None:
    put(tmp_path, f"0 {BOX}" * 3)
    manifest, notices = read(tmp_path)
    mended, _ = mend_boxes(manifest, notices)
    assert boxes_of(mended) == {"images/a.png": [COD]}
    assert notices == ["boxes mended, listed in boxes_mended.csv: 2 dropped: there twice"]


def test_outlines_and_scores(tmp_path: Path) -> None:
    """Of a segmentation set, and of a detector's answer with its confidence at the end."""
    put(tmp_path, f"0 0.25 0.5 0.5 0.5 0.5 1 0.25 1\n1 0 0 0.5 0 0.5 0.5\n0 {BOX[:-1]} 0.75\n")
    manifest, notices = read(tmp_path)
    expected = [("cod", 4, 6, 4, 6), ("eel", 0, 0, 8, 6), COD]
    assert boxes_of(manifest) == {"images/a.png": expected}
    assert notices == ["outlines, taken as the boxes round them: 2"]
    put(tmp_path, "0 0.25 0.5 0.5 0.5 0.5 1 0.9\n")
    assert boxes_of(read(tmp_path)[0]) == {"images/a.png": [("cod", 4, 6, 4, 6)]}


def test_keypoints_are_no_outline(tmp_path: Path) -> None:
    put(tmp_path, f"0 {BOX[:-1]} 0.1 0.1 2 0.9 0.9 2\n", YAML + "kpt_shape: [2, 3]\n")
    assert boxes_of(read(tmp_path)[0]) == {"images/a.png": [COD]}


def test_pixels(tmp_path: Path) -> None:
    file = put(tmp_path, "0 8 6 4 6\n1 8 6 4 6\n0 0.5 0.5 0.1 0.1\n")
    with pytest.raises(DataError) as caught:
        read(tmp_path)
    assert str(caught.value) == (
        f"'{file}' line 1: 2 of 3 boxes lie outside their photos, as if they were in pixels, not "
        "in fractions: data.pixels=true reads them as pixels"
    )
    put(tmp_path, "0 8 6 4 6\n1 8 6 4 6\n")
    assert boxes_of(read(tmp_path, pixels=True)[0]) == {"images/a.png": [COD, EEL]}


LISTS = {
    "classes.txt": "cod\neel\n",
    "labels/classes.txt": "cod\r\neel\r\n\n",
    "obj.names": "cod\neel",
    "notes.json": '{"categories": [{"id": 1, "name": "eel"}, {"id": 0, "name": "cod"}]}',
}


@pytest.mark.parametrize("name", LISTS)
@pytest.mark.parametrize("split", ["", "train"])
def test_without_a_data_yaml(tmp_path: Path, name: str, split: str) -> None:
    write_photo(tmp_path / "images" / split / "a.png")
    text = tmp_path / "labels" / split / "a.txt"
    text.parent.mkdir(parents=True, exist_ok=True)
    text.write_text(f"1 {BOX}")
    (tmp_path / name).write_text(LISTS[name])
    manifest, _ = read(tmp_path)
    assert list(boxes_of(manifest).values()) == [[EEL]]
    assert manifest.table["split"].tolist() == [split]


def test_labelimg_writes_beside_the_photos(tmp_path: Path) -> None:
    write_photo(tmp_path / "a.png")
    (tmp_path / "a.txt").write_text(f"1 {BOX}")
    (tmp_path / "classes.txt").write_text("cod\neel\n")
    assert boxes_of(read(tmp_path)[0]) == {"a.png": [EEL]}


def test_cvat_s_darknet_export(tmp_path: Path) -> None:
    for split in ("train", "valid"):
        write_photo(tmp_path / f"obj_{split}_data" / "a.png")
        (tmp_path / f"obj_{split}_data" / "a.txt").write_text(f"0 {BOX}")
        (tmp_path / f"{split}.txt").write_text(f"data/obj_{split}_data/a.png\n")
    (tmp_path / "obj.names").write_text("cod\neel\n")
    (tmp_path / "obj.data").write_text(
        "classes = 2\ntrain = data/train.txt\nvalid = data/valid.txt\nnames = data/obj.names\n"
        "backup = backup/\n"
    )
    manifest, notices = read(tmp_path)
    assert manifest.table["split"].tolist() == ["train", "val"]
    assert boxes_of(manifest) == {"obj_train_data/a.png": [COD], "obj_valid_data/a.png": [COD]}
    assert notices[-1] == (
        "found by the end of their path: 2 photos such as 'data/obj_train_data/a.png', taken for "
        "'obj_train_data/a.png'"
    )


@pytest.mark.parametrize("top", ["/content/set/", "D:\\sets\\reef\\", "./"])
def test_lists_of_another_machine(tmp_path: Path, top: str) -> None:
    put(tmp_path, f"0 {BOX}", "names: [cod]\ntrain: train.txt\n")
    name = top + "images/a.png"
    name = name.replace("/", "\\") if "\\" in top else name
    (tmp_path / "train.txt").write_text(f"{name}\n\n")
    manifest, notices = read(tmp_path)
    assert boxes_of(manifest) == {"images/a.png": [COD]}
    told = f"found by the end of their path: 1 photo such as '{name}', taken for 'images/a.png'"
    assert notices == ([] if top == "./" else [told])


def test_a_listed_photo_that_could_be_two(tmp_path: Path) -> None:
    put(tmp_path, f"0 {BOX}", "names: [cod]\ntrain: train.txt\n")
    write_photo(tmp_path / "other" / "a.png")
    (tmp_path / "train.txt").write_text("/content/a.png\n")
    with pytest.raises(DataError, match=r"train\.txt' line 1: there is no photo '/content/a\.png'"):
        read(tmp_path)


def test_roboflow_without_its_test_split(tmp_path: Path) -> None:
    root = tmp_path / "set"
    for split in ("train", "valid"):
        put(root / split, f"0 {BOX}", "")
    yaml = root / "data.yaml"
    yaml.write_text(
        "names: [cod]\nnc: 1\ntrain: ../train/images\nval: ../valid/images\ntest: ../test/images\n"
    )
    manifest, notices = read(root)
    assert manifest.table["split"].tolist() == ["train", "val"]
    assert notices == [
        f"'{yaml}' line 5: test names '../test/images', which is not there; left out"
    ]
    yaml.write_text("names: [cod]\ntrain: ../train/images\nval:\n")
    manifest, notices = read(root)
    assert manifest.table["split"].tolist() == ["train"], "an empty val is none"
    assert notices == []
    yaml.write_text("names: [cod]\ntrain: ../train/images\nval: ../train/images\n")
    manifest, notices = read(root)
    assert manifest.table["split"].tolist() == [""]
    assert notices == ["named in train and val, so in neither: 1 photo; they are split anew"]


def test_folders_of_another_machine(tmp_path: Path) -> None:
    root = tmp_path / "set"
    for split in ("train", "valid"):
        put(root / split, f"0 {BOX}", "")
    places = [
        f"{key}: /content/reef/{split}/images"
        for key, split in (("train", "train"), ("val", "valid"))
    ]
    (root / "data.yaml").write_text("\n".join(["names: [cod]", *places, ""]))
    manifest, notices = read(root)
    assert manifest.table["split"].tolist() == ["train", "val"]
    assert len(notices) == 2
    assert notices[0].endswith(f"taken for '{root / 'train' / 'images'}'")


def test_boxes_without_their_photo(tmp_path: Path) -> None:
    put(tmp_path, f"0 {BOX}")
    for number in range(7):
        (tmp_path / "labels" / f"gone{number}.txt").write_text(f"0 {BOX}")
    manifest, notices = read(tmp_path)
    assert len(manifest.table) == 1
    assert notices == [
        "left out, boxes without their photo: 7 files, 'gone0.txt', 'gone1.txt', 'gone2.txt', "
        "'gone3.txt', 'gone4.txt' and 2 more (data.strict=true stops there)"
    ]
    with pytest.raises(DataError) as caught:
        read(tmp_path, strict=True)
    orphan = tmp_path / "labels" / "gone0.txt"
    assert str(caught.value) == f"'{orphan}' line 1: there is no photo for these boxes"
