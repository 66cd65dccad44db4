"""Writes the files beside this one: small sets, each by a labelling tool's own writer.

Run in a throwaway environment, never in Osprey's own:

    pip install labelme label-studio-converter supervision pycocotools datumaro
    python make.py FOLDER

Each set is counted by the tool's own reader; `index.json` keeps those counts.
"""

from __future__ import annotations

import contextlib
import io
import json
import shutil
import sys
from collections import Counter
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

SIZE = (64, 48)
CLASSES = ["fish", "gull"]
# x, y, w, h in whole pixels, which every tool keeps.
TRUTH: dict[str, list[tuple[str, int, int, int, int]]] = {
    "deck_1.jpg": [("fish", 8, 8, 16, 12), ("gull", 32, 24, 24, 16)],
    "deck_2.jpg": [("fish", 4, 4, 40, 30)],
    "empty.jpg": [],
    "two words.jpg": [("gull", 0, 0, 20, 20), ("gull", 24, 8, 8, 8), ("fish", 40, 20, 20, 24)],
}
Counts = tuple[int, int, dict[str, int]]  # photos, boxes, boxes a class


def photos(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for number, (name, boxes) in enumerate(TRUTH.items()):
        image = Image.new("RGB", SIZE, (30 + 40 * number, 90, 140))
        for label, x, y, w, h in boxes:
            colour = (220, 60, 40) if label == "fish" else (240, 240, 240)
            ImageDraw.Draw(image).rectangle((x, y, x + w - 1, y + h - 1), fill=colour)
        image.save(folder / name, quality=60)
    return folder


class Index:
    """The sets, as tests read them."""

    def __init__(self, top: Path) -> None:
        self.top = top
        self.sets: list[dict[str, Any]] = []

    def add(self, name: str, reader: str, tool: str, by: str, counts: Counts, **more: str) -> None:
        found = dict(zip(("photos", "boxes", "labels"), counts, strict=True))
        about = {"set": name, "reader": reader, "tool": f"{tool} {version(tool)}"}
        self.sets.append({**about, "counted_by": by, **found, **more})


# ---------------------------------------------------------------- labelme


def labelme(index: Index) -> None:
    from labelme._label_file import LabelFile

    def shape(label: str, points: list[list[float]], kind: str, **more: Any) -> dict[str, Any]:
        return {
            "label": label, "points": points, "group_id": None, "description": "",
            "shape_type": kind, "flags": {}, "mask": None, **more,
        }  # fmt: skip

    for name in ("labelme_rectangles", "labelme_outlines", "labelme_embedded"):
        folder = photos(index.top / name)
        labels: Counter[str] = Counter()
        for photo, boxes in TRUTH.items():
            shapes = []
            for number, (label, x, y, w, h) in enumerate(boxes):
                corners = [[x, y], [x + w, y], [x + w, y + h], [x, y + h]]
                if name == "labelme_outlines" and number % 2 == 0:
                    shapes.append(shape(label, corners, "polygon"))
                elif name == "labelme_outlines":
                    mask = np.ones((h, w), dtype=bool)
                    points = [[x, y], [x + w - 1, y + h - 1]]
                    shapes.append(shape(label, points, "mask", mask=mask_text(mask)))
                else:
                    shapes.append(shape(label, [corners[0], corners[2]], "rectangle"))
            file = folder / f"{Path(photo).stem}.json"
            data = (
                LabelFile.load_image_file(str(folder / photo))
                if name.endswith("embedded")
                else None
            )
            LabelFile().save(str(file), shapes, photo, SIZE[1], SIZE[0], data)
        for file in sorted(folder.glob("*.json")):
            labels.update(one["label"] for one in LabelFile(str(file)).shapes)
        counts = len(list(folder.glob("*.json"))), sum(labels.values()), dict(labels)
        index.add(name, "labelme", "labelme", "labelme._label_file.LabelFile", counts)


def mask_text(mask: np.ndarray) -> str:
    from labelme import utils

    return utils.img_arr_to_b64(mask.astype(np.uint8))


# ---------------------------------------------------------------- pycocotools


def pycocotools(index: Index) -> None:
    from pycocotools import mask as masks
    from pycocotools.coco import COCO

    def coco(form: str) -> dict[str, Any]:
        images, annotations = [], []
        for number, (name, boxes) in enumerate(TRUTH.items(), 1):
            images.append({"id": number, "file_name": name, "width": SIZE[0], "height": SIZE[1]})
            for label, x, y, w, h in boxes:
                one: dict[str, Any] = {
                    "id": len(annotations) + 1, "image_id": number, "iscrowd": 0, "area": w * h,
                    "category_id": CLASSES.index(label) + 1,
                }  # fmt: skip
                pixels = np.zeros((SIZE[1], SIZE[0]), dtype=np.uint8, order="F")
                pixels[y : y + h, x : x + w] = 1
                encoded = masks.encode(pixels)
                if form == "rle":  # the box by the tool itself
                    one["segmentation"] = {**encoded, "counts": encoded["counts"].decode()}
                    one["bbox"] = masks.toBbox(encoded).tolist()
                elif form == "masks":
                    one["segmentation"] = {**encoded, "counts": encoded["counts"].decode()}
                else:
                    one["segmentation"] = [[x, y, x + w, y, x + w, y + h, x, y + h]]
                    one["bbox"] = [x, y, w, h]
                annotations.append(one)
        names = [{"id": n, "name": name} for n, name in enumerate(CLASSES, 1)]
        return {"images": images, "annotations": annotations, "categories": names}

    for name, form in (("pycocotools_polygons", "polygons"), ("pycocotools_rle", "rle"),
                       ("pycocotools_masks_alone", "masks")):  # fmt: skip
        folder = photos(index.top / name)
        (folder / "instances.json").write_text(json.dumps(coco(form)))
        read = quiet(lambda file=folder / "instances.json": COCO(str(file)))
        labels = Counter(read.cats[a["category_id"]]["name"] for a in read.anns.values())
        counts = len(read.imgs), len(read.anns), dict(labels)
        index.add(
            name, "coco", "pycocotools", "pycocotools.coco.COCO", counts, file="instances.json"
        )
    folder = photos(index.top / "pycocotools_results")
    truth = coco("polygons")
    found = [
        {k: a[k] for k in ("image_id", "category_id", "bbox")} | {"score": 0.9}
        for a in truth["annotations"]
    ]
    (folder / "instances.json").write_text(json.dumps({**truth, "annotations": []}))
    (folder / "results.json").write_text(json.dumps(found))
    read = quiet(lambda: COCO(str(folder / "instances.json")).loadRes(str(folder / "results.json")))
    labels = Counter(read.cats[a["category_id"]]["name"] for a in read.anns.values())
    counts = len(read.imgs), len(read.anns), dict(labels)
    index.add("pycocotools_results", "coco_results", "pycocotools", "COCO.loadRes", counts,
              file="results.json")  # fmt: skip


# ---------------------------------------------------------------- supervision


def supervision(index: Index) -> None:
    import supervision as sv

    source = photos(index.top / "_photos")
    annotations = {}
    for name, boxes in TRUTH.items():
        corners = np.array([[x, y, x + w, y + h] for _, x, y, w, h in boxes], float).reshape(-1, 4)
        ids = np.array([CLASSES.index(label) for label, *_ in boxes], dtype=int)
        annotations[str(source / name)] = sv.Detections(xyxy=corners, class_id=ids)
    whole = sv.DetectionDataset(CLASSES, [str(source / name) for name in TRUTH], annotations)

    def counted(found: Any) -> Counts:
        labels = Counter(
            found.classes[int(i)] for one in found.annotations.values() for i in one.class_id
        )
        return len(found), sum(labels.values()), dict(labels)

    top = index.top / "supervision_voc"
    whole.as_pascal_voc(str(top / "images"), str(top / "annotations"))
    read = sv.DetectionDataset.from_pascal_voc(str(top / "images"), str(top / "annotations"))
    index.add("supervision_voc", "voc", "supervision", "from_pascal_voc", counted(read))
    top = index.top / "supervision_yolo"
    whole.as_yolo(str(top / "images"), str(top / "labels"), str(top / "data.yaml"))
    read = sv.DetectionDataset.from_yolo(
        str(top / "images"), str(top / "labels"), str(top / "data.yaml")
    )
    index.add("supervision_yolo", "yolo", "supervision", "from_yolo", counted(read))
    top = index.top / "supervision_coco"
    whole.as_coco(str(top / "images"), str(top / "annotations.json"))
    read = sv.DetectionDataset.from_coco(str(top / "images"), str(top / "annotations.json"))
    index.add("supervision_coco", "coco", "supervision", "from_coco", counted(read),
              file="annotations.json")  # fmt: skip
    top = index.top / "supervision_labelme"
    whole.as_labelme(str(top), str(top))
    read = sv.DetectionDataset.from_labelme(str(top), str(top))
    index.add("supervision_labelme", "labelme", "supervision", "from_labelme", counted(read))
    shutil.rmtree(source)


# ---------------------------------------------------------------- datumaro


def datumaro(index: Index) -> None:
    import datumaro as dm

    def dataset(source: Path) -> Any:
        items = []
        for name, boxes in TRUTH.items():
            marks = [
                dm.Bbox(x, y, w, h, label=CLASSES.index(label), id=n, group=n)
                for n, (label, x, y, w, h) in enumerate(boxes, 1)
            ]
            media = dm.Image.from_file(path=str(source / name))
            items.append(
                dm.DatasetItem(Path(name).stem, subset="train", media=media, annotations=marks)
            )
        return dm.Dataset.from_iterable(items, categories=CLASSES)

    def counted(folder: Path, form: str) -> Counts:
        read = dm.Dataset.import_from(str(folder), form)
        names = read.categories()[dm.AnnotationType.label]
        boxes = [a for item in read for a in item.annotations if a.type == dm.AnnotationType.bbox]
        labels = Counter(names[a.label].name for a in boxes)
        return len(read), len(boxes), dict(labels)

    source = photos(index.top / "_photos")
    whole = dataset(source)
    for name, form, reader, more in (
        ("datumaro_coco", "coco_instances", "coco", {"file": "annotations/instances_train.json"}),
        ("datumaro_voc", "voc_detection", "voc", {}),
        ("datumaro_yolo", "yolo", "yolo", {}),
        ("datumaro_cvat", "cvat", "cvat", {"file": "train.xml"}),
    ):
        folder = index.top / name
        whole.export(str(folder), form, save_media=True)
        index.add(name, reader, "datumaro", f"Dataset.import_from(..., '{form}')",
                  counted(folder, form), **more)  # fmt: skip
    shutil.rmtree(source)


# ---------------------------------------------------------------- Label Studio


def label_studio(index: Index) -> None:
    from label_studio_converter import Converter

    config = (
        '<View><Image name="image" value="$image"/><RectangleLabels name="label" toName="image">'
        '<Label value="fish"/><Label value="gull"/></RectangleLabels></View>'
    )
    tasks = []
    for number, (name, boxes) in enumerate(TRUTH.items(), 1):
        results = [
            {
                "id": f"r{number}{n}", "type": "rectanglelabels", "from_name": "label",
                "to_name": "image", "original_width": SIZE[0], "original_height": SIZE[1],
                "image_rotation": 0,
                "value": {
                    "x": 100 * x / SIZE[0], "y": 100 * y / SIZE[1], "width": 100 * w / SIZE[0],
                    "height": 100 * h / SIZE[1], "rotation": 0, "rectanglelabels": [label],
                },
            }
            for n, (label, x, y, w, h) in enumerate(boxes)
        ]  # fmt: skip
        annotation = {"id": number, "result": results, "completed_by": 1, "was_cancelled": False}
        annotation |= {"created_at": "2026-01-01T00:00:00Z", "updated_at": "2026-01-01T00:00:00Z"}
        annotation["lead_time"] = 1.0
        tasks.append({"id": number, "data": {"image": name}, "annotations": [annotation]})
    export = index.top / "label_studio_json"
    photos(export)
    (export / "export.json").write_text(json.dumps(tasks, indent=1))
    converter = Converter(config, str(export), download_resources=False)

    def counted(file: Path) -> Counts:
        labels: Counter[str] = Counter()
        found = list(converter.iter_from_json_file(str(file)))
        for item in found:
            for some in item["output"].values():
                labels.update(label for one in some for label in one["rectanglelabels"])
        return len({item["id"] for item in found}), sum(labels.values()), dict(labels)

    counts = counted(export / "export.json")
    by = "Converter.iter_from_json_file"
    tool = "label-studio-converter"
    index.add("label_studio_json", "label_studio", tool, by, counts, file="export.json")
    for name, form, reader, more in (
        ("label_studio_json_min", "JSON_MIN", "label_studio", {"file": "result.json"}),
        ("label_studio_coco", "COCO", "coco", {"file": "result.json"}),
        ("label_studio_voc", "VOC", "voc", {}),
        ("label_studio_yolo", "YOLO", "yolo", {}),
    ):
        folder = index.top / name
        converter.convert(str(export / "export.json"), str(folder), form, is_dir=False)
        at = {"YOLO": "images", "VOC": "images", "COCO": "images"}.get(form, ".")
        photos(folder / at)
        index.add(name, reader, tool, by, counts, **more)


def quiet(call: Any) -> Any:
    with contextlib.redirect_stdout(io.StringIO()):
        return call()


def main(target: Path) -> None:
    index = Index(target)
    for write in (labelme, pycocotools, supervision, datumaro, label_studio):
        write(index)
    lines = ",\n ".join(json.dumps(one) for one in index.sets)
    (target / "index.json").write_text(f"[\n {lines}\n]\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
