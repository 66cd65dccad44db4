"""VOC sets as tools really write them, each read with the right boxes, each guess told."""

from __future__ import annotations

from pathlib import Path

import pytest
from helpers import data_config, write_photo

from osprey.data.box_column import Box
from osprey.data.manifest import Manifest
from osprey.data.readers import read_manifest
from osprey.errors import DataError

FROM_0 = "VOC's pixels count from 0, as a box begins at 0 (data.origin=1 if not)"
FROM_1 = "VOC's pixels count from 1, as no box begins at 0 (data.origin=0 if not)"
SIZE = "<size><width>64</width><height>48</height></size>"


def read(root: Path, **changes: object) -> tuple[Manifest, list[str]]:
    notices: list[str] = []
    return read_manifest(data_config(root, "voc", **changes), notices), notices


def boxes_of(manifest: Manifest) -> dict[str, list[Box]]:
    return dict(zip(manifest.table["path"], manifest.box_lists, strict=True))


def box(a: float, b: float, c: float, d: float) -> str:
    return f"<bndbox><xmin>{a}</xmin><ymin>{b}</ymin><xmax>{c}</xmax><ymax>{d}</ymax></bndbox>"


def voc(*shapes: str, name: str = "a.png", label: str = "cod") -> str:
    objects = "".join(f"<object><name>{label}</name>{shape}</object>\n" for shape in shapes)
    return f"<annotation>\n<filename>{name}</filename>\n{SIZE}\n{objects}</annotation>\n"


def put(
    root: Path,
    text: str | bytes,
    xml: str = "Annotations/a.xml",
    photo: str = "JPEGImages/a.png",
) -> Path:
    write_photo(root / photo, size=(48, 64))
    (root / xml).parent.mkdir(parents=True, exist_ok=True)
    (root / xml).write_bytes(text if isinstance(text, bytes) else text.encode())
    return root / xml


def test_pixels_counted_from_one(tmp_path: Path) -> None:
    put(tmp_path, voc(box(1, 1, 64, 48), box(3, 5, 10, 20)))
    manifest, notices = read(tmp_path)
    assert boxes_of(manifest) == {"JPEGImages/a.png": [("cod", 0, 0, 64, 48), ("cod", 2, 4, 8, 16)]}
    assert notices == [FROM_1]
    manifest, notices = read(tmp_path, origin=0)
    assert boxes_of(manifest)["JPEGImages/a.png"][0] == ("cod", 1, 1, 63, 47)
    assert notices == []


def test_pixels_counted_from_nought(tmp_path: Path) -> None:
    """One box of the whole set that begins at 0 decides for all of them."""
    put(tmp_path, voc(box(3, 5, 10, 20)))
    put(tmp_path, voc(box(0, 1, 64, 48), name="b.png"), "Annotations/b.xml", "JPEGImages/b.png")
    manifest, notices = read(tmp_path)
    assert boxes_of(manifest)["JPEGImages/a.png"] == [("cod", 3, 5, 7, 15)]
    assert boxes_of(manifest)["JPEGImages/b.png"] == [("cod", 0, 1, 64, 47)]
    assert notices == [FROM_0]
    assert boxes_of(read(tmp_path, origin=1)[0])["JPEGImages/a.png"] == [("cod", 2, 4, 8, 16)]


def test_outlines_and_turned_boxes(tmp_path: Path) -> None:
    polygon = "<polygon><x1>10</x1><y1>8</y1><x2>30</x2><y2>12</y2><x3>20</x3><y3>40</y3></polygon>"
    points = "<polygon><pt><x>10</x><y>8</y></pt><pt><x>30.5</x><y>40</y></pt></polygon>"
    quarter = (
        "<robndbox><cx>32</cx><cy>24</cy><w>20</w><h>10</h><angle>1.5707963</angle></robndbox>"
    )
    put(tmp_path, voc(polygon, points, quarter, box(0, 0, 5, 5)))
    manifest, notices = read(tmp_path)
    found = boxes_of(manifest)["JPEGImages/a.png"]
    assert found == [
        ("cod", 0, 0, 5, 5), ("cod", 10, 8, 20, 32), ("cod", 10, 8, 20.5, 32),
        ("cod", 27, 14, 10, 20),
    ]  # fmt: skip
    assert notices == [FROM_0, "polygons or turned boxes, taken as the boxes round them: 3"]
    put(tmp_path, voc("<polygon><x1>a</x1></polygon>"))
    with pytest.raises(DataError, match=r"line 4: a <polygon> needs pairs of numbers$"):
        read(tmp_path)
    put(tmp_path, voc("<pose>Left</pose>"))
    with pytest.raises(
        DataError, match=r"line 4: an <object> without a <bndbox>, <robndbox> or <p"
    ):
        read(tmp_path)


@pytest.mark.parametrize(
    ("photo", "xml"),
    [
        ("images/a.png", "annotations/a.xml"), ("images/a.png", "annots/a.xml"),
        ("JPEGImages/a.png", "annotations/a.xml"), ("images/a.png", "Annotations/a.xml"),
        ("frames/x/a.png", "labels/x/a.xml"), ("train/images/a.png", "train/annotations/a.xml"),
    ],
)  # fmt: skip
def test_sibling_folders(tmp_path: Path, photo: str, xml: str) -> None:
    put(tmp_path, voc(box(0, 0, 5, 5)), xml, photo)
    manifest, notices = read(tmp_path)
    assert boxes_of(manifest) == {photo: [("cod", 0, 0, 5, 5)]}
    assert manifest.table["split"].tolist() == ["train" if "train" in photo else ""]
    assert notices == [FROM_0]


def test_masks_of_the_same_name_are_no_photos(tmp_path: Path) -> None:
    """As in the pets' set: annotations/xmls, annotations/trimaps and images."""
    put(tmp_path, voc(box(0, 0, 5, 5)), "annotations/xmls/a.xml", "images/a.png")
    for name in ("a", "b"):
        write_photo(tmp_path / "annotations" / "trimaps" / f"{name}.jpg")
    write_photo(tmp_path / "images" / "b.png")
    manifest, notices = read(tmp_path)
    assert boxes_of(manifest) == {"images/a.png": [("cod", 0, 0, 5, 5)], "images/b.png": []}
    assert notices[1] == "no XML file, taken as photos of nothing: 1 photo such as 'images/b.png'"


def test_split_folders_with_the_same_names(tmp_path: Path) -> None:
    for number, split in enumerate(("train", "val"), start=4):
        put(tmp_path, voc(box(0, 0, number, 5)), f"{split}/annots/a.xml", f"{split}/images/a.png")
    manifest, _ = read(tmp_path)
    assert boxes_of(manifest) == {
        "train/images/a.png": [("cod", 0, 0, 4, 5)], "val/images/a.png": [("cod", 0, 0, 5, 5)]
    }  # fmt: skip
    assert manifest.table["split"].tolist() == ["train", "val"]


def test_xml_called_otherwise_than_its_photo(tmp_path: Path) -> None:
    put(tmp_path, voc(box(0, 0, 5, 5), name="a.png"), "Annotations/000001.xml")
    put(
        tmp_path, voc(box(0, 0, 6, 6), name="D:\\x\\b.png"), "Annotations/2.xml", "JPEGImages/b.png"
    )
    manifest, _ = read(tmp_path)
    assert boxes_of(manifest) == {
        "JPEGImages/a.png": [("cod", 0, 0, 5, 5)], "JPEGImages/b.png": [("cod", 0, 0, 6, 6)]
    }  # fmt: skip
    put(tmp_path, voc(box(0, 0, 5, 5), name="a.png"), "Annotations/3.xml")
    first, second = (tmp_path / "Annotations" / name for name in ("000001.xml", "3.xml"))
    with pytest.raises(DataError) as caught:
        read(tmp_path)
    photo = tmp_path / "JPEGImages" / "a.png"
    assert str(caught.value) == f"'{first}' and '{second}' both belong to '{photo}'"


@pytest.mark.parametrize(
    ("encoding", "declared", "label", "told"),
    [
        ("gbk", "", "\u91d1\u67aa\u9c7c", ["XML read as GBK: 1 file"]),
        (
            "gbk",
            '<?xml version="1.0" encoding="utf-8"?>',
            "\u91d1\u67aa",
            ["XML read as GBK: 1 file"],
        ),
        ("gbk", '<?xml version="1.0" encoding="GBK"?>', "\u91d1\u67aa", []),
        ("cp1252", "", "S\u00e4ge", ["XML read as cp1252: 1 file"]),
        ("utf-16", "", "S\u00e4ge", []),
    ],
)
def test_encodings(
    tmp_path: Path, encoding: str, declared: str, label: str, told: list[str]
) -> None:
    put(tmp_path, (declared + voc(box(0, 0, 5, 5), label=label)).encode(encoding))
    manifest, notices = read(tmp_path)
    assert boxes_of(manifest) == {"JPEGImages/a.png": [(label, 0, 0, 5, 5)]}
    assert notices == [FROM_0, *told]


def test_a_bare_and(tmp_path: Path) -> None:
    put(tmp_path, voc(box(0, 0, 5, 5), label="fish & chips &amp; peas"))
    manifest, notices = read(tmp_path)
    assert manifest.classes == ["fish & chips & peas"]
    assert notices == [FROM_0, "XML with a bare &: 1 file"]


def test_marks_are_kept_as_columns(tmp_path: Path) -> None:
    hard = "<difficult>1</difficult><truncated>0</truncated><occluded>1</occluded>"
    put(tmp_path, voc(hard + box(0, 0, 5, 5), "<difficult>0</difficult>" + box(1, 1, 9, 9)))
    put(tmp_path, voc(box(1, 1, 9, 9), name="b.png"), "Annotations/b.xml", "JPEGImages/b.png")
    manifest, _ = read(tmp_path)
    assert manifest.table[["difficult", "occluded"]].to_numpy().tolist() == [[1, 1], [0, 0]]
    assert "truncated" not in manifest.table, "none is"


def test_nothing_where_voc_is_expected(tmp_path: Path) -> None:
    write_photo(tmp_path / "images" / "a.png")
    with pytest.raises(DataError) as caught:
        read(tmp_path)
    assert str(caught.value) == (
        f"no XML files in '{tmp_path}': name the folder that has them and the photos in it, such "
        "as 'Annotations' and 'JPEGImages', with data.root=FOLDER"
    )
    put(tmp_path, "<annotations><image/></annotations>", "Annotations/a.xml", "images/a.png")
    with pytest.raises(DataError, match=r"line 1: <annotations> \(CVAT's own form\) where <annot"):
        read(tmp_path)
