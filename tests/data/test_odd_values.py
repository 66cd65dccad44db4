"""Values that tools and people write beside a form's rules: read right, told, or refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from helpers import data_config, write_photo

from osprey.commands import main
from osprey.data.readers import read_manifest
from osprey.errors import DataError

BOXES = [[0.1, 0.2, 0.3, 0.4], [0.2, 0.1, 0.5, 0.5], [0.5, 0.5, 0.5, 0.5]]  # fractions
CORNERS = [[50, 30, 90, 55], [60, 10, 99, 59], [10, 10, 30, 30]]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for number in range(3):
        write_photo(tmp_path / "images" / f"{number}.png", 50 * number, size=(60, 100))
    return tmp_path


def coco(root: Path, boxes: list[list[float]], name: str = "{}.png") -> Path:
    numbers = range(len(boxes))
    images = [{"id": n, "file_name": name.format(n), "width": 100, "height": 60} for n in numbers]
    marks = [{"id": n, "image_id": n, "category_id": 1, "bbox": boxes[n]} for n in numbers]
    content = {"images": images, "annotations": marks, "categories": [{"id": 1, "name": "cod"}]}
    (root / "coco.json").write_text(json.dumps(content))
    return root / "coco.json"


def table(root: Path, header: str, boxes: list[list[float]]) -> Path:
    size = "100,60," if "width" in header else ""
    rows = [f"{n}.png,{size}cod,{','.join(map(str, box))}" for n, box in enumerate(boxes)]
    (root / "boxes.csv").write_text("\n".join([header, *rows]) + "\n")
    return root / "boxes.csv"


def studio(root: Path, *results: dict[str, Any]) -> Path:
    task = {"id": 1, "data": {"image": "0.png"}, "annotations": [{"result": list(results)}]}
    (root / "studio.json").write_text(json.dumps([task]))
    return root / "studio.json"


def region(kind: str, shape: str = "rectangle", **more: Any) -> dict[str, Any]:
    size = {"original_width": 100, "original_height": 60, "id": "r"}
    value = {"x": 10, "y": 20, "width": 30, "height": 40, "rotation": 0, **more}
    return {**size, "type": kind, "value": value} | (
        {"id": "other"} if shape != "rectangle" else {}
    )


def convert(root: Path, file: Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    output = root / "written.csv"
    words = ["--input", str(file), "--images", str(root / "images"), "--to", "csv"]
    code = main(["convert", *words, "--output", str(output), "--force"])
    said = capsys.readouterr()
    return code, said.out + said.err


@pytest.mark.parametrize("form", ["coco", "csv", "roboflow_csv"])
def test_fractions_where_a_form_has_pixels(
    root: Path, form: str, capsys: pytest.CaptureFixture[str]
) -> None:
    headers = {"csv": "path,label,x,y,w,h"}
    corners = [[x, y, x + w, y + h] for x, y, w, h in BOXES]
    header = headers.get(form, "filename,width,height,class,xmin,ymin,xmax,ymax")
    file = (
        coco(root, BOXES)
        if form == "coco"
        else table(root, header, BOXES if form == "csv" else corners)
    )
    code, said = convert(root, file, capsys)
    assert code == 2 and "as if they were fractions" in said and not (root / "written.csv").exists()
    reader = {"csv": "boxes"}.get(form, form)
    with pytest.raises(DataError, match=r"all boxes \(3\) lie within the first pixel"):
        read_manifest(data_config(root / "images", reader, file=str(file)), [])


def test_corners_where_coco_has_width_and_height(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, said = convert(root, coco(root, CORNERS), capsys)
    assert code == 2 and "2 of 3 boxes reach over their photos' borders" in said
    assert "all fit as corners" in said
    code, said = convert(root, coco(root, [[1, 1, 100, 60]] * 3), capsys)  # counted from 1
    assert code == 0 and "3 clipped" in said


def test_pixels_where_megadetector_has_fractions(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = [{"category": "1", "conf": 0.9, "bbox": [10, 20, 30, 40]}]
    images = [{"file": f"{number}.png", "detections": found} for number in range(3)]
    content = {"images": images, "detection_categories": {"1": "animal"}, "info": {}}
    (root / "md.json").write_text(json.dumps(content))
    code, said = convert(root, root / "md.json", capsys)
    assert code == 2 and "3 of 3 boxes lie outside their photos" in said
    assert "on one of 100 x 60" in said


def test_paths_that_lead_out_of_the_folder_and_in_again(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, said = convert(root, coco(root, [[1, 2, 30, 40]] * 3, "../images/{}.png"), capsys)
    assert code == 0 and "'../images/0.png', taken for '0.png'" in said
    assert pd.read_csv(root / "written.csv")["path"].tolist() == ["0.png", "1.png", "2.png"]
    write_photo(root / "other" / "0.png", size=(60, 100))
    code, said = convert(root, coco(root, [[1, 2, 30, 40]], "../other/{}.png"), capsys)
    assert code == 2 and "'../other/0.png' is not a path under the photos' folder" in said


def test_label_studio_regions_of_several_labels_and_of_none(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    two = region("rectanglelabels", rectanglelabels=["cod", "eel"])
    bare = region("rectanglelabels", "other", rectanglelabels=[])
    code, said = convert(root, studio(root, two, bare), capsys)
    assert code == 0 and "1 photo, 1 box of 1 class" in said
    assert "boxes and outlines of several labels, of which the first counts: 1" in said
    assert "left out, boxes and outlines without a label: 1" in said
    pair = region("rectangle"), region("labels", labels=["cod"])
    code, said = convert(root, studio(root, *pair), capsys)
    assert code == 0 and "1 box of 1 class" in said and "left out" not in said


def test_roboflows_table_without_a_class_and_with_commas(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    header = "filename,width,height,class,xmin,ymin,xmax,ymax"
    (root / "boxes.csv").write_text(f"{header}\n0.png,100,60,,1,2,30,40\n")
    code, said = convert(root, root / "boxes.csv", capsys)
    assert code == 2 and "line 2: a box without a class; leave out all five for none" in said
    rows = f"{header}\n0.png,100,60,cod,1,5,30,40\n".replace(",", ";").replace("1;5", "1,5;2")
    (root / "boxes.csv").write_text(rows)
    code, said = convert(root, root / "boxes.csv", capsys)
    assert code == 0 and "commas before decimals in 'xmin'" in said
    assert pd.read_csv(root / "written.csv")["x"].tolist() == [1.5]


@pytest.mark.parametrize("folder", ["labels", "images"])
def test_yolo_with_commas_before_decimals_and_beside_its_photos(root: Path, folder: str) -> None:
    (root / "data.yaml").write_text("names: [cod]\ntrain: images\n")
    (root / folder).mkdir(exist_ok=True)
    for number in range(3):
        (root / folder / f"{number}.txt").write_text("0 0,5 0,5 0,2 0,25\n")
    words = ["--input", str(root), "--to", "csv", "--output", str(root.parent / "yolo.csv")]
    assert main(["convert", *words, "--force"]) == 0
    written = pd.read_csv(root.parent / "yolo.csv")
    assert written[list("xywh")].drop_duplicates().to_numpy().tolist() == [[40, 22.5, 20, 15]]


def test_keypoints_stay_in_coco_and_are_scaled(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = coco(root, [[10, 20, 40, 60]])
    content = json.loads(file.read_text())
    content["images"][0] |= {"width": 200, "height": 120}  # of a photo that was halved since
    content["annotations"][0] |= {"keypoints": [20, 40, 2], "num_keypoints": 1}
    file.write_text(json.dumps(content))
    words = ["--input", str(file), "--images", str(root / "images"), "--to", "coco"]
    assert main(["convert", *words, "--output", str(root / "new.json")]) == 0
    said = capsys.readouterr()
    assert "lost" not in said.out + said.err
    (entry,) = json.loads((root / "new.json").read_text())["annotations"]
    assert (entry["bbox"], entry["keypoints"]) == ([5, 10, 20, 30], [10, 20, 2])


def test_xml_after_blank_lines(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    box = '<box label="cod" xtl="1" ytl="2" xbr="30" ybr="40" occluded="0"/>'
    image = f'<image id="0" name="0.png" width="100" height="60">{box}</image>'
    text = f'\n\n<?xml version="1.0"?>\n<annotations>{image}</annotations>'
    (root / "cvat.xml").write_text(text)
    code, said = convert(root, root / "cvat.xml", capsys)
    assert code == 0 and "1 photo, 1 box of 1 class" in said
