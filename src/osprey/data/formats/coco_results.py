"""COCO's list of results: what a detector found, by the ids of the COCO file it was tested on."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from osprey.data.folders import walk_photos
from osprey.data.formats.coco_file import PARTS, CocoFile
from osprey.data.formats.json_file import JsonFile, opened
from osprey.data.formats.label_studio import json_in
from osprey.data.formats.options import TRAINING, Options
from osprey.data.formats.outlines import outline_box
from osprey.data.formats.table import Annotations, Collector
from osprey.data.formats.values import ById, a_number, a_score, a_side, four_numbers
from osprey.data.notices import Guess
from osprey.errors import DataError

_KEYS = {"image_id", "category_id", "score"}


def read(path: Path, root: Path, options: Options = TRAINING) -> Annotations:
    """Read a list of results.

    Photos and class names come from the COCO file beside it that has all its image ids. Without
    one, the photos are those that are called as the ids, and the classes ``class 1``, ...

    Raises:
        DataError: One line with the file and the number of the entry.
    """
    file = path if path.is_file() else json_in(path)
    if file is None or sniff(file):
        raise DataError(f"'{path}' is no list of COCO results: [{{image_id, category_id, bbox, ...")
    found = Collector(root, options, sources=[file])
    ids = {item.get("image_id") for item in _items(file)}
    truth = _truth_beside(file, root, ids)
    rows, names = _by_names(found, ids) if truth is None else _by_file(found, truth)
    images, categories = ById(rows), ById(names)
    for number, item in enumerate(_items(file)):
        where = f"'{file}', entry {number}"
        image, category = images.key(item.get("image_id")), categories.key(item.get("category_id"))
        if image is None:
            raise DataError(
                f"{where}: there is no photo of image_id {item.get('image_id')!r:.40}: put the "
                "COCO file that has it beside the results"
            )
        key = a_number(item.get("category_id"))
        if category is None and (truth is not None or key is None):
            raise DataError(f"{where}: category_id {item.get('category_id')!r:.40} is unknown")
        name = names[category] if category is not None else f"class {key:g}"
        found.box(rows[image], name, _box(item, where), a_score(item.get("score"), where))
    return found.done()


def _items(file: Path) -> Iterator[dict[str, Any]]:
    for number, item in enumerate(JsonFile(file).entries() or ()):
        if not isinstance(item, dict) or not isinstance(item.get("image_id"), str | int | float):
            raise DataError(f"'{file}', entry {number}: is no object with an 'image_id'")
        yield item


def _box(item: dict[str, Any], where: str) -> tuple[float, float, float, float]:
    if item.get("bbox"):
        return four_numbers(item["bbox"], where)
    box = outline_box(item["segmentation"], where) if item.get("segmentation") else None
    if box is None:
        raise DataError(f"{where}: neither bbox nor segmentation")
    return box


def sniff(path: Path) -> str:
    """Why a path does not hold COCO results; "" if it does."""
    file = json_in(path)
    if file is None:
        return "no JSON file"
    entries = opened(file).entries()
    first = list(islice(entries, 1)) if entries is not None else []
    if not first or not isinstance(first[0], dict):
        return "no JSON list of detections"
    missing = _KEYS - set(first[0])
    return f"no '{min(missing)}' in the list's first entry" if missing else ""


def _truth_beside(file: Path, root: Path, ids: set[Any]) -> CocoFile | None:
    """The COCO file with all these image ids."""
    folders = dict.fromkeys((file.parent, file.parent / "annotations", root, root / "annotations"))
    for folder in folders:
        for other in sorted(folder.glob("*.json")):
            if other != file and set(PARTS) <= set(JsonFile(other).keys):
                truth = CocoFile(other)
                known = ById(truth.by_id("images", "file_name"))
                if all(known.key(one) is not None for one in ids):
                    return truth
    return None


def _by_file(found: Collector, truth: CocoFile) -> tuple[dict[Any, int], dict[Any, str]]:
    """Rows by image id and names by category id, of the COCO file."""
    images = truth.by_id("images", "file_name")
    folder = truth.photo_folder(found.root, images.values())
    rows = {}
    for key, item in images.items():
        sides = (a_side(item.get("width")) or 0, a_side(item.get("height")) or 0)
        rows[key] = found.image(f"{folder}{item['file_name']}", *sides)
    names = {k: found.label(v["name"]) for k, v in truth.by_id("categories", "name").items()}
    found.classes.update(dict.fromkeys(names.values()))
    found.notices.append(Guess(f"photos and class names of the results: '{truth.path}'"))
    return rows, names


def _by_names(found: Collector, ids: set[Any]) -> tuple[dict[Any, int], dict[Any, str]]:
    """Rows by the photos' own names, with or without their ending."""
    photos: dict[Any, list[str]] = {}
    for photo in walk_photos(found.root):
        name = photo.relative_to(found.root).as_posix()
        for called in {name, photo.name, photo.stem}:
            photos.setdefault(called, []).append(name)
    known = ById(photos)
    rows: dict[Any, int] = {}
    for one in sorted(ids, key=str):
        key = known.key(one)
        if key is None:
            continue
        names = [key] if key in photos[key] else photos[key]
        if len(names) > 1:
            raise DataError(
                f"'{found.sources[0]}': image_id {one!r:.40} may be '{names[0]}' or '{names[1]}': "
                "put the COCO file that has it beside the results"
            )
        rows[one] = found.measured(names[0])
    line = (
        "no COCO file beside the results: photos are those called as the ids, classes have numbers"
    )
    found.notices.append(Guess(line))
    return rows, {}


def write(annotations: Annotations, path: Path, root: Path) -> None:
    """Write a list of results; a photo's id is its name, a class's its number from 1.

    Args:
        annotations: The annotations; a box without a score gets 1.
        path: The file to write.
        root: Not used.
    """
    known = annotations.kept.get("categories", {})
    numbers = {name: number for number, name in enumerate(annotations.classes, start=1)}
    entries = [
        {
            "image_id": (record.get("coco") or {}).get("id", record["file"]),
            "category_id": known.get(box.label, {}).get("id", numbers[box.label]),
            "bbox": [round(value, 4) for value in (box.x, box.y, box.w, box.h)],
            "score": 1.0 if math.isnan(box.score) else box.score,
        }
        for record, boxes in annotations.records()
        for box in boxes
    ]
    path.write_text(json.dumps(entries, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
