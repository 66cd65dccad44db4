"""The forms of annotation tools: CVAT, Label Studio, labelme, Roboflow's CSV."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from helpers import data_config, write_photo

from osprey.data.box_column import Box
from osprey.data.formats import read_annotations, write_annotations
from osprey.data.manifest import Manifest
from osprey.data.readers import read_manifest
from osprey.errors import DataError


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Two photos of 100 x 50 pixels."""
    for name in ("a", "b"):
        write_photo(tmp_path / "set" / f"{name}.png", size=(50, 100))
    return tmp_path / "set"


def read(root: Path, data: str, **changes: object) -> tuple[Manifest, list[str]]:
    notices: list[str] = []
    return read_manifest(data_config(root, data, **changes), notices), notices


def boxes_of(manifest: Manifest) -> dict[str, list[Box]]:
    return dict(zip(manifest.table["path"], manifest.box_lists, strict=True))


CVAT = """<?xml version="1.0" encoding="utf-8"?>
<annotations><version>1.1</version>
<meta><task><labels>
<label><name>cod</name></label><label><name>eel</name></label></labels></task></meta>
<image id="0" name="a.png" width="100" height="50" subset="Train">
<box label="cod" occluded="1" xtl="10.5" ytl="2" xbr="30" ybr="40.25">
<attribute name="sex">m</attribute></box>
<box label="cod" occluded="0" xtl="40" ytl="20" xbr="60" ybr="30" rotation="90"></box>
<polygon label="eel" occluded="0" points="1.00,2.00;5.00,3.00;4.00,9.00"></polygon>
<ellipse label="eel" occluded="0" cx="50" cy="20" rx="10" ry="5"></ellipse>
<mask label="eel" occluded="0" rle="1, 2, 3, 2" left="20" top="10" width="4" height="2"></mask>
<polyline label="eel" points="1,2;3,4"></polyline>
<tag label="eel"></tag>
</image>
<image id="1" name="b.png" width="100" height="50"></image>
</annotations>
"""


def test_cvat(root: Path) -> None:
    (root / "annotations.xml").write_text(CVAT)
    manifest, notices = read(root, "cvat")
    assert boxes_of(manifest) == {
        "a.png": [
            ("cod", 10.5, 2, 19.5, 38.25), ("cod", 45, 15, 10, 20), ("eel", 1, 2, 4, 7),
            ("eel", 40, 15, 20, 10), ("eel", 21, 10, 3, 2),
        ],
        "b.png": [],
    }  # fmt: skip
    assert manifest.table["split"].tolist() == ["train", ""]
    assert manifest.table["occluded"].tolist() == [1, 0]
    assert notices == [
        "turned boxes, polygons, ellipses and masks, taken as boxes: 4",
        "left out, neither boxes nor outlines (lines, points, tags): 2",
    ]


def test_bad_cvat(root: Path) -> None:
    file = root / "annotations.xml"

    def said(text: str) -> str:
        file.write_text(text)
        with pytest.raises(DataError) as caught:
            read(root, "cvat")
        return str(caught.value)

    assert said(CVAT.replace('xtl="40"', 'xtl="x"')) == (
        f"'{file}' line 8: a box needs four numbers, not \"['x', '20', '60', '30']\""
    )
    assert said(CVAT.replace("1.00,2.00;", "1;")) == (
        f"'{file}' line 9: the numbers of a <polygon> make no sense"
    )
    assert said("<annotations><track label='cod'/></annotations>") == (
        f"'{file}' line 1: holds tracks of a video, which name no photos: export it as 'CVAT for "
        "images'"
    )
    assert said("<annotation/>") == (
        f"'{file}' line 1: <annotation> where <annotations> is expected"
    )


def region(kind: str = "rectanglelabels", **value: Any) -> dict[str, Any]:
    sizes = {"original_width": 100, "original_height": 50, "image_rotation": 0}
    return {**sizes, "type": kind, "value": {kind: ["cod"], **value}}


def studio(*tasks: tuple[str, list[Any]]) -> str:
    return json.dumps([{"data": {"image": name}, "annotations": of} for name, of in tasks])


PERCENT = {"x": 10, "y": 20, "width": 30, "height": 40, "rotation": 0}


@pytest.mark.parametrize(
    "name",
    [
        "/data/upload/3/1a2b3c4d-a.png", "/data/local-files/?d=set/a.png", "a.png",
        "s3://bucket/set/a.png", "http://host:8080/data/upload/1a2b3c4d-a.png", "set\\a.png",
    ],
)  # fmt: skip
def test_label_studio(root: Path, name: str) -> None:
    turned = {**PERCENT, "rotation": 90}  # about the corner, in pixels
    results = [
        region(**PERCENT),
        region(**turned),
        region("polygonlabels", points=[[0, 0], [10, 20], [20, 10]]),
        region("ellipselabels", x=50, y=50, radiusX=10, radiusY=20),
        region("brushlabels", rle=[1, 2]),
        {"type": "choices", "value": {"choices": ["wet"]}},
    ]
    text = studio((name, [{"result": results, "was_cancelled": False}]))
    (root / "export.json").write_text(text)
    manifest, notices = read(root, "label_studio", file="export.json")
    assert boxes_of(manifest) == {
        "a.png": [
            ("cod", 10, 10, 30, 20), ("cod", -10, 10, 20, 30), ("cod", 0, 0, 20, 10),
            ("cod", 40, 15, 20, 20),
        ]
    }  # fmt: skip
    assert "polygons, ellipses and turned boxes, taken as the boxes round them: 3" in notices
    assert "left out, neither boxes nor outlines (brushes, points, choices): 2" in notices


def test_label_studio_s_several_annotations(root: Path) -> None:
    first, second = ({"result": [region(**{**PERCENT, "x": x})]} for x in (0, 50))
    skipped = {"result": [], "was_cancelled": True}
    true = {**first, "ground_truth": True}
    tasks = ("a.png", [first, second, skipped]), ("b.png", [true, second]), ("c.png", [skipped])
    (root / "export.json").write_text(studio(*tasks))
    manifest, notices = read(root, "label_studio")
    assert boxes_of(manifest) == {
        "a.png": [("cod", 50, 10, 30, 20)], "b.png": [("cod", 0, 10, 30, 20)]
    }  # fmt: skip
    assert notices == [
        "tasks annotated more than once, of which the last annotation counts: 2",
        "left out, tasks that nobody annotated: 1",
    ]


def test_label_studio_s_small_export(root: Path) -> None:
    label = {**PERCENT, "rectanglelabels": ["eel"], "original_width": 100, "original_height": 50}
    tasks = [{"image": "/data/upload/1a2b3c4d-a.png", "id": 1, "label": [label], "annotator": 1}]
    (root / "export.json").write_text(json.dumps(tasks))
    assert boxes_of(read(root, "label_studio")[0]) == {"a.png": [("eel", 10, 10, 30, 20)]}


def shape(kind: str, *points: tuple[float, float], **more: Any) -> dict[str, Any]:
    return {"label": "cod", "shape_type": kind, "points": points, "flags": {}, **more}


def test_labelme(root: Path) -> None:
    drawn = np.zeros((4, 6), np.uint8)
    drawn[1:3, 2:5] = 255
    mask = base64.b64encode(cv2.imencode(".png", drawn)[1].tobytes()).decode()
    shapes = [
        shape("rectangle", (30, 40), (10.5, 2)),
        shape("polygon", (1, 2), (5, 3), (4, 9)),
        shape("circle", (50, 20), (53, 24)),
        shape("mask", (20, 10), (26, 14), mask=mask),
        shape("line", (1, 2), (3, 4)),
        shape("point", (1, 2)),
    ]
    content = {
        "version": "5.4.1",
        "imagePath": "..\\img\\a.png",
        "imageHeight": 50,
        "shapes": shapes,
    }
    (root / "a.json").write_text(json.dumps({**content, "imageWidth": 100, "imageData": None}))
    (root / "other.json").write_text("{}")
    manifest, notices = read(root, "labelme")
    assert boxes_of(manifest) == {
        "a.png": [
            ("cod", 10.5, 2, 19.5, 38), ("cod", 1, 2, 4, 7), ("cod", 45, 15, 10, 10),
            ("cod", 22, 11, 3, 2),
        ]
    }  # fmt: skip
    assert notices == [
        "left out, JSON files that are not labelme's: 1",
        "polygons, circles and masks, taken as the boxes round them: 3",
        "left out, lines and points: 2",
        "left out, named by no annotation: 1 photo such as 'b.png'",
    ]
    shapes[0]["points"] = [[1, "x"]]
    (root / "a.json").write_text(json.dumps({**content, "shapes": shapes}))
    with pytest.raises(DataError) as caught:
        read(root, "labelme")
    assert str(caught.value) == (
        f"'{root / 'a.json'}', shape 0: 'points' are not [[x, y], ...] of a rectangle"
    )


def test_labelme_in_split_folders(tmp_path: Path) -> None:
    for split in ("train", "val"):
        write_photo(tmp_path / split / "a.png", size=(50, 100))
        content = {"shapes": [shape("rectangle", (0, 0), (5, 5))], "imagePath": "a.png"}
        (tmp_path / split / "a.json").write_text(json.dumps(content))
    manifest, _ = read(tmp_path, "labelme")
    assert manifest.table["path"].tolist() == ["train/a.png", "val/a.png"]
    assert manifest.table["split"].tolist() == ["train", "val"]


HEAD = "filename,width,height,class,xmin,ymin,xmax,ymax\n"


def test_roboflow_csv(tmp_path: Path) -> None:
    for split in ("train", "valid"):
        write_photo(tmp_path / split / "a.png", size=(50, 100))
        rows = "a.png,100,50,cod,10,2,30,40\na.png,100,50,eel,0,0,5,5.5\n"
        (tmp_path / split / "_annotations.csv").write_text(HEAD + rows)
    manifest, notices = read(tmp_path, "roboflow_csv")
    expected = [("cod", 10, 2, 20, 38), ("eel", 0, 0, 5, 5.5)]
    assert boxes_of(manifest) == {"train/a.png": expected, "valid/a.png": expected}
    assert manifest.table["split"].tolist() == ["train", "val"]
    assert notices == []
    file = tmp_path / "train" / "_annotations.csv"
    file.write_text(HEAD + "a.png,100,50,cod,10,2,x,40\n")
    with pytest.raises(DataError) as caught:
        read(tmp_path, "roboflow_csv")
    assert str(caught.value) == (
        f"'{file}' line 2: a box needs four numbers, not \"['10', '2', 'x', '40']\""
    )


def test_labelme_finds_the_photos_that_we_write_it(tmp_path: Path) -> None:
    root, out = tmp_path / "photos", tmp_path / "made"
    table = "path,label,x,y,w,h\n"
    for folder in ("s", "s/t", "u"):
        write_photo(root / folder / "a.png", size=(50, 100))
        table += f"{folder}/a.png,{folder},1,2,3,4\n"
    (root / "boxes.csv").write_text(table)
    annotations = read_annotations(root / "boxes.csv", "csv", root)
    write_annotations(annotations, out, "labelme", root)
    for folder in ("s", "s/t", "u"):
        content = json.loads((out / folder / "a.json").read_text())
        assert (root / folder / content["imagePath"]).is_file(), "beside the JSON, as it looks"
    again = read_annotations(out, "labelme", root)
    assert sorted(again.images["file"]) == ["s/a.png", "s/t/a.png", "u/a.png"]
    assert [again.images["file"][b.image] for b in again.box_rows() if b.label == "u"] == [
        "u/a.png"
    ]


def choice(name: str, photo: str, *labels: str) -> dict[str, Any]:
    result = [{"from_name": "label", "type": "choices", "value": {"choices": list(labels)}}]
    data = {"image": f"/data/local-files/?d={photo}", "path": photo, "why": name}
    return {"data": data, "annotations": [{"result": result if labels else []}]}


def test_label_studio_s_choices_label_photos(root: Path) -> None:
    write_photo(root / "c.png")
    write_photo(root / "d.png")
    tasks = [choice("audit", "a.png", "cod"), choice("uncertain", "b.png", "eel")]
    tasks += [choice("uncertain", "c.png", "cod", "eel"), choice("uncertain", "d.png")]
    (root / "export.json").write_text(json.dumps(tasks))
    manifest, notices = read(root, "label_studio")
    assert manifest.table[["path", "label"]].to_numpy().tolist() == [
        ["a.png", "cod"], ["b.png", "eel"]
    ]  # fmt: skip
    assert notices == [
        "left out, tasks that nobody annotated: 1",
        "left out, photos for which several labels were chosen: 1",
    ]
    tasks.append(choice("uncertain", "gone.png", "cod"))
    (root / "export.json").write_text(json.dumps(tasks))
    with pytest.raises(DataError, match=r"there is no photo 'gone.png' under .* \(1 of 4 are"):
        read(root, "label_studio")


def test_label_studio_s_table_of_choices(root: Path) -> None:
    text = "annotation_id,annotator,created_at,id,image,label,lead_time,path,updated_at,why\n"
    for number, photo in enumerate(("a.png", "b.png")):
        text += f"{number},1,now,{number},/data/local-files/?d={photo},cod,1.5,{photo},now,audit\n"
    (root / "export.csv").write_text(text)
    manifest, notices = read(root, "table", file="export.csv")
    assert manifest.table[["path", "label"]].to_numpy().tolist() == [
        ["a.png", "cod"], ["b.png", "cod"]
    ]  # fmt: skip
    assert notices == []
