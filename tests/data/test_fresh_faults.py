"""Faults that a second reader of the formats found: each with its right value."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from helpers import data_config, write_photo

from osprey.commands import main
from osprey.data.auto import resolve_auto
from osprey.data.manifest import Manifest
from osprey.data.readers import read_manifest
from osprey.errors import DataError

SIZE = {"width": 16, "height": 12}


def read(root: Path, data: str, **changes: object) -> tuple[Manifest, list[str]]:
    notices: list[str] = []
    return read_manifest(data_config(root, data, **changes), notices), notices


def rows(manifest: Manifest, *columns: str) -> set[tuple[object, ...]]:
    return set(manifest.table[list(columns)].itertuples(index=False, name=None))


def coco(file: Path, names: list[str], **more: object) -> None:
    """One file of COCO, a box of a cod on each photo unless ``more`` says otherwise."""
    images = [{"id": n, "file_name": name, **SIZE} for n, name in enumerate(names)]
    boxes = [{"id": n, "image_id": n, "category_id": 1} for n in range(len(names))]
    boxes = [{**box, "bbox": [1, 2, 3, 4], **more} for box in boxes]
    file.parent.mkdir(parents=True, exist_ok=True)
    content = {"images": images, "annotations": boxes}
    file.write_text(json.dumps({**content, "categories": [{"id": 1, "name": "cod"}]}))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in ("1.png", "sub/2.png"):
        write_photo(tmp_path / name)
    return tmp_path


def table(root: Path, text: str | bytes, **changes: object) -> tuple[Manifest, list[str]]:
    data = text if isinstance(text, bytes) else text.encode()
    (root / "t.csv").write_bytes(data)
    return read(root, "table", file="t.csv", **changes)


def test_a_file_of_two_spellings_in_a_table_counts_once(root: Path) -> None:
    text = "path,label\n1.png,cod\n./1.png,cod\nsub//2.png,eel\n./sub/2.png,eel\n"
    manifest, notices = table(root, text)
    assert manifest.table["path"].tolist() == ["1.png", "sub/2.png"]
    assert notices == ["left out, a photo in another spelling: 2 rows such as './1.png'"]
    with pytest.raises(DataError, match=r"'1\.png' is listed twice"):
        table(root, "path,label\n1.png,cod\n./1.png,eel\nsub/2.png,eel\n")


def test_tables_as_spreadsheets_leave_them(root: Path) -> None:
    expected = {("1.png", "cod"), ("sub/2.png", "eel")}
    manifest, notices = table(root, "path,label\n1.png,cod\n,\nsub/2.png,eel\n , \n")
    assert rows(manifest, "path", "label") == expected
    assert "2 blank rows left out" in notices[0]
    manifest, _ = table(root, "sep=;\r\npath;label\r\n1.png;cod\r\nsub/2.png;eel\r\n")
    assert rows(manifest, "path", "label") == expected
    with pytest.raises(DataError, match=r"has two columns 'label'$"):
        table(root, "path,label,label\n1.png,cod,3\nsub/2.png,eel,4\n")
    with pytest.raises(DataError, match=r"is packed \(ZIP\): unpack it, or save it as CSV$"):
        table(root, b"PK\x03\x04 and so on")


@pytest.mark.parametrize("name", ["asl alphabet", "fruits-360"])
def test_folders_alike_but_for_a_split_are_no_classes(tmp_path: Path, name: str) -> None:
    for split in ("train", "test"):
        for label in ("cod", "eel"):
            write_photo(tmp_path / f"{name}_{split}" / label / f"{split}.png")
    manifest, notices = read(tmp_path, "folder")
    assert rows(manifest, "split", "label") == {
        (split, label) for split in ("train", "test") for label in ("cod", "eel")
    }
    assert f"'{name}_train' as train" in notices[0]
    means = {f"{name}_train": "none", f"{name}_test": "none"}
    manifest, _ = read(tmp_path, "folder", split_names=means)
    assert manifest.classes == [f"{name}_test", f"{name}_train"]


def test_folders_alike_but_for_a_split_that_hold_photos_are_asked_about(tmp_path: Path) -> None:
    for name in ("fish_train", "fish_test"):
        write_photo(tmp_path / name / "1.png")
    with pytest.raises(DataError, match=r"look like splits.*data\.split_names='\{fish_test: none"):
        read(tmp_path, "folder")


@pytest.mark.parametrize(
    "file", ["{}_annotations.json", "{0}/annotations_{0}2017.json", "{}/annotations.json"]
)
def test_coco_files_that_name_their_split_in_other_words(tmp_path: Path, file: str) -> None:
    for split in ("train", "val", "test"):
        write_photo(tmp_path / split / f"{split}.png")
        coco(tmp_path / file.format(split), [f"{split}.png"])
    manifest, _ = read(tmp_path, "coco")
    assert rows(manifest, "path", "split") == {
        (f"{split}/{split}.png", split) for split in ("train", "val", "test")
    }


def test_photos_of_one_name_beside_each_splits_file(tmp_path: Path) -> None:
    for split in ("train", "val"):
        write_photo(tmp_path / split / "data" / "1.png")
        coco(tmp_path / split / "labels.json", ["1.png"])
    manifest, _ = read(tmp_path, "coco")
    expected = {("train/data/1.png", "train"), ("val/data/1.png", "val")}
    assert rows(manifest, "path", "split") == expected


def test_zeros_beside_an_outline_are_no_box(tmp_path: Path) -> None:
    write_photo(tmp_path / "1.png")
    coco(tmp_path / "a.json", ["1.png"], bbox=[0, 0, 0, 0], segmentation=[[1, 1, 9, 1, 9, 5]])
    manifest, notices = read(tmp_path, "coco")
    assert manifest.box_lists == [[("cod", 1, 1, 8, 4)]]
    assert notices == ["boxes taken round the outline or mask, where there is no bbox: 1"]


def test_camera_traps_in_a_folder_are_not_asked_about(tmp_path: Path) -> None:
    write_photo(tmp_path / "1.png")
    coco(tmp_path / "a.json", ["1.png"], bbox=None)
    assert resolve_auto(data_config(tmp_path, "auto"), []).reader == "camera_traps"
    with pytest.raises(DataError, match=r"labels of whole photos.*data=camera_traps"):
        read(tmp_path, "coco", file="a.json")


def test_the_look_takes_the_columns_that_are_named(root: Path) -> None:
    (root / "t.csv").write_text("n,file,season,kind\n1,1.png,w,cod\n2,sub/2.png,s,eel\n")
    manifest, _ = read(root, "auto", columns={"label": "kind"})
    assert rows(manifest, "path", "label") == {("1.png", "cod"), ("sub/2.png", "eel")}
    with pytest.raises(DataError, match=r"which column is the label \(n, season, kind\)"):
        read(root, "auto")


def boxed(tmp_path: Path, form: str) -> None:
    """Two splits' folders of boxes, of one photo each."""
    for name in ("train2017", "val2017"):
        if form == "yolo":
            write_photo(tmp_path / "images" / name / f"{name}.png", size=(12, 16))
            text = tmp_path / "labels" / name / f"{name}.txt"
            content = "0 0.5 0.5 0.5 0.5\n"
            (tmp_path / "classes.txt").write_text("cod\n")
        else:
            write_photo(tmp_path / name / f"{name}.png", size=(12, 16))
            text = tmp_path / name / f"{name}.{'xml' if form == 'voc' else 'json'}"
            sides = {"xmin": 0, "ymin": 1, "xmax": 4, "ymax": 5}
            ends = "".join(f"<{k}>{v}</{k}>" for k, v in sides.items())
            shape = {"label": "cod", "shape_type": "rectangle", "points": [[0, 1], [4, 5]]}
            content = (
                "<annotation><size><width>16</width><height>12</height></size><object>"
                f"<name>cod</name><bndbox>{ends}</bndbox></object></annotation>"
                if form == "voc"
                else json.dumps({"imagePath": f"{name}.png", "shapes": [shape]})
            )
        text.parent.mkdir(parents=True, exist_ok=True)
        text.write_text(content)


@pytest.mark.parametrize("form", ["yolo", "voc", "labelme"])
def test_folders_called_like_splits_split_boxes(
    tmp_path: Path, form: str, capsys: pytest.CaptureFixture[str]
) -> None:
    source = tmp_path / "set"
    boxed(source, form)
    manifest, notices = read(source, form)
    names = {(Path(str(path)).stem, split) for path, split in rows(manifest, "path", "split")}
    assert names == {("train2017", "train"), ("val2017", "val")}
    assert any(line.startswith("folders taken as splits: 'train2017' as train") for line in notices)
    means = {"train2017": "none", "val2017": "none"}
    assert rows(read(source, form, split_names=means)[0], "split") == {("",)}
    words = ["--input", str(source), "--to", "csv", "--output", str(tmp_path / "out.csv")]
    assert main(["convert", *words]) == 0
    said = capsys.readouterr()
    assert "'val2017' as val" in said.out + said.err
    assert "data.split_names" not in said.out + said.err


def test_lists_of_voc_with_endings(tmp_path: Path) -> None:
    boxed(tmp_path, "voc")
    lists = tmp_path / "ImageSets" / "Main"
    lists.mkdir(parents=True)
    (lists / "train.txt").write_text("train2017/train2017.png\n")
    (lists / "val.txt").write_text("val2017/val2017\n")
    manifest, _ = read(tmp_path, "voc")
    assert rows(manifest, "split") == {("train",), ("val",)}


def test_photos_in_other_capitals_than_a_table_names_them(root: Path) -> None:
    manifest, notices = table(root, "path,label\n1.PNG,cod\nSub\\2.Png,eel\n")
    assert rows(manifest, "path", "label") == {("1.png", "cod"), ("sub/2.png", "eel")}
    assert notices[-1] == (
        "found by the end of their path: 2 photos such as '1.PNG', taken for '1.png'"
    )
    write_photo(root / "ONE.png")
    write_photo(root / "one.png")
    with pytest.raises(DataError, match=r"'One\.png' may be 'ONE\.png' or 'one\.png'"):
        table(root, "path,label\nOne.png,cod\n")
    assert table(root, "path,label\none.png,cod\n1.png,eel\n")[1] == []  # as it stands


def test_commas_before_decimals(root: Path) -> None:
    (root / "b.csv").write_text(
        "path;label;x;y;w;h\n1.png;cod;1,5;2;3,25;4\nsub/2.png;eel;2;3;4;5,5\n"
    )
    manifest, notices = read(root, "boxes", file="b.csv")
    assert manifest.box_lists == [[("cod", 1.5, 2, 3.25, 4)], [("eel", 2, 3, 4, 5.5)]]
    assert f"'{root / 'b.csv'}': commas before decimals in 'x', 'w', 'h'" in notices
    (root / "b.csv").write_text('path,label,x,y,w,h\n1.png,cod,"1,234",2,3,4\n')
    with pytest.raises(DataError, match="a box needs four numbers"):
        read(root, "boxes", file="b.csv")  # or a thousand and more
    weighed, _ = table(root, "path;label;weight\n1.png;1,5;0,5\nsub/2.png;2,5;1,5\n")
    assert rows(weighed, "label", "weight") == {("1,5", 0.5), ("2,5", 1.5)}


@pytest.mark.parametrize("folder", ["Training", "images/train"])
def test_photos_of_one_name_in_two_folders_of_splits(tmp_path: Path, folder: str) -> None:
    for split in (folder, folder.replace("Training", "val").replace("train", "val")):
        write_photo(tmp_path / split / "1.png")
    for split in ("train", "val"):
        coco(tmp_path / "annotations" / f"{split}.json", ["1.png"])
    manifest, _ = read(tmp_path, "coco")
    other = folder.replace("Training", "val").replace("train", "val")
    expected = {(f"{folder}/1.png", "train"), (f"{other}/1.png", "val")}
    assert rows(manifest, "path", "split") == expected


def test_a_name_without_its_ending_in_voc(tmp_path: Path) -> None:
    write_photo(tmp_path / "images" / "fish.png")
    box = "<bndbox><xmin>2</xmin><ymin>3</ymin><xmax>9</xmax><ymax>8</ymax></bndbox>"
    (tmp_path / "0001.xml").write_text(
        f"<annotation><filename>fish</filename><object><name>cod</name>{box}</object></annotation>"
    )
    manifest, _ = read(tmp_path, "voc")
    assert rows(manifest, "path", "label") == {("images/fish.png", "cod")}


@pytest.mark.parametrize("top", ["", "train/"])
def test_folders_of_boats_above_those_of_classes_are_told(tmp_path: Path, top: str) -> None:
    for boat in ("boat1", "boat2"):
        for label in ("cod", "eel"):
            write_photo(tmp_path / top / boat / label / "1.png")
    manifest, notices = read(tmp_path, "folder")
    assert manifest.classes == ["boat1", "boat2"]
    above = "[^/]+/" * (2 if top else 1)
    pattern = f"^{above}(?P<label>[^/]+)/"
    assert notices == [
        "classes are the outer folders, such as 'boat1'; in them lie folders of the same names, "
        f"such as 'cod' and 'eel': data.label='{pattern}' takes these"
    ]
    manifest, notices = read(tmp_path, "folder", label=pattern)
    assert (manifest.classes, notices) == (["cod", "eel"], [])


def test_folders_below_classes_that_are_no_classes_are_not_told(tmp_path: Path) -> None:
    for name in ("cod/a/1.png", "cod/b/1.png", "eel/c/1.png", "eel/a/1.png"):
        write_photo(tmp_path / name)
    assert read(tmp_path, "folder")[1] == []


def test_the_look_finds_the_set_one_folder_below(tmp_path: Path) -> None:
    coco(tmp_path / "my set" / "annotations" / "a.json", ["1.png"])
    write_photo(tmp_path / "my set" / "1.png")
    with pytest.raises(DataError) as caught:
        resolve_auto(data_config(tmp_path, "auto"), [])
    assert str(caught.value).replace(str(tmp_path), "ROOT") == (
        "data=auto: 'ROOT' is none of the forms that are read here, but 'ROOT/my set' is: "
        "data.root='ROOT/my set'"
    )
