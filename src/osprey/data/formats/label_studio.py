"""Label Studio's JSON: a list of tasks, boxes and outlines in hundredths of the photo."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from osprey.data.formats.json_file import JsonFile, opened
from osprey.data.formats.options import TRAINING, Options
from osprey.data.formats.table import Annotations, Collector
from osprey.data.formats.values import a_flag, a_number, a_side, four_numbers
from osprey.errors import DataError
from osprey.imaging.boxes import polygon_box, turned_corners

_UPLOADED = re.compile(r"^[0-9a-f]{8}-")  # before a photo's own name
_KINDS = ("rectanglelabels", "polygonlabels", "ellipselabels", "labels")
_SHAPES = ("rectangle", "polygon", "ellipse")
_SIDES = ("x", "y", "width", "height")


def read(path: Path, root: Path, options: Options = TRAINING) -> Annotations:
    """Read a project's export, ``JSON`` or ``JSON-MIN``.

    Of several annotations of one task the one marked as ground truth counts, else the last that
    was not skipped. Polygons, ellipses and turned boxes count by the box round them.

    Raises:
        DataError: One line with the file and the number of the task.
    """
    file = json_in(path)
    entries = None if file is None else JsonFile(file).entries()
    if file is None or entries is None:
        raise DataError(f"'{path}' is no export of Label Studio: it is no JSON list of tasks")
    found = Collector(root, options, sources=[file])
    for number, task in enumerate(entries):
        where = f"'{file}', task {number}"
        if not isinstance(task, dict):
            raise DataError(f"{where}: is no object {{...}}")
        _task(found, task, where)
    found.tell("several", "tasks annotated more than once, of which the last annotation counts: {}")
    found.tell("outlined", "polygons, ellipses and turned boxes, taken as the boxes round them: {}")
    found.tell("other", "left out, neither boxes nor outlines (brushes, points, choices): {}")
    found.tell("nameless", "left out, boxes and outlines without a label: {}")
    found.tell("doubtful", "boxes and outlines of several labels, of which the first counts: {}")
    found.tell("skipped", "left out, tasks that nobody annotated: {}")
    return found.done()


def sniff(path: Path) -> str:
    """Why a path does not hold an export of Label Studio; "" if it does."""
    file = json_in(path)
    if file is None:
        return "no JSON file"
    first = next(opened(file).entries() or iter(()), None)
    if not isinstance(first, dict):
        return "no JSON list of tasks"
    if "data" in first and {"annotations", "completions", "predictions"} & set(first):
        return ""
    return "" if _min_labels(first) is not None else "no tasks with 'data' and 'annotations'"


def json_in(path: Path) -> Path | None:
    """A JSON file, or the only one of a folder."""
    if path.is_dir():
        files = sorted(path.glob("*.json"))
        return files[0] if len(files) == 1 else None
    return path if path.suffix.lower() == ".json" else None


def _min_labels(task: dict[str, Any]) -> list[Any] | None:
    """The list of labels of a task of a JSON-MIN export."""
    for value in task.values():
        first = value[0] if isinstance(value, list) and value else None
        if isinstance(first, dict) and {"original_width", "rectanglelabels"} & set(first):
            return list(value)
    return None


def _task(found: Collector, task: dict[str, Any], where: str) -> None:
    small = "data" not in task
    data = task if small else task["data"]
    name = photo_of(data if isinstance(data, dict) else {}, found)
    if not name:
        raise DataError(f"{where}: 'data' names no photo")
    results = [_min_labels(task) or []] if small else results_of(task, found)
    if not results:
        found.counts["skipped"] += 1
        return
    result = [item for item in results[-1] if isinstance(item, dict)]
    sizes = [(a_side(r.get("original_width")), a_side(r.get("original_height"))) for r in result]
    size = next(((w, h) for w, h in sizes if w and h), (0, 0))
    row = found.image(name, *size) if all(size) else found.measured(name)
    said = [item if small else item.get("value") for item in result]
    regions = [(i, v if isinstance(v, dict) else {}) for i, v in zip(result, said, strict=True)]
    named = {str(item["id"]) for item, value in regions if "id" in item and _labels(value)}
    for item, value in regions:
        if _labels(value):
            _region(found, row, item, value, where)
        elif str(item.get("type")).removesuffix("labels") not in _SHAPES:
            found.counts["other"] += 1
        elif str(item.get("id")) not in named:  # else another entry says what this shape is
            found.counts["nameless"] += 1


def _labels(value: dict[str, Any]) -> list[Any]:
    """The classes of a region, mostly one."""
    names = [value.get(kind) for kind in _KINDS]
    return next((list(n) for n in names if isinstance(n, list) and n), [])


def results_of(task: dict[str, Any], found: Collector) -> list[list[Any]]:
    """The results of a task's annotations, the one that counts last.

    Args:
        task: An entry of the export.
        found: Counts those that were annotated more than once.
    """
    every = task.get("annotations") or task.get("completions") or []
    kept = [a for a in every if isinstance(a, dict) and not a_flag(a.get("was_cancelled"))]
    true = [one for one in kept if a_flag(one.get("ground_truth"))]
    if len(kept) > 1:
        found.counts["several"] += 1
    return [one["result"] for one in true or kept if isinstance(one.get("result"), list)]


def photo_of(data: dict[str, Any], found: Collector) -> str:
    """The photo of a task: the first value of its data that names a file.

    Args:
        data: The task's.
        found: Knows the photos.

    Returns:
        Its name; "" if there is none.
    """
    values = [data.get("image"), *data.values()]
    for value in (value for value in values if isinstance(value, str) and value.strip()):
        if found.photos.find(value) is not None:
            return value
        try:
            parts = urlsplit(value.replace("\\", "/"))
        except ValueError:
            return value
        inside = parse_qs(parts.query).get("d", [""])[0]  # /data/local-files/?d=folder/a.jpg
        name = unquote(inside or (parts.path if parts.scheme else value))
        if "." not in name.rpartition("/")[2]:
            continue
        for tried in (name, name.rpartition("/")[0] + "/" + _own(name), _own(name)):
            if found.photos.find(tried) is not None:
                return tried
        return name.lstrip("/")
    return ""


def _own(name: str) -> str:
    """The name that a photo had before it was uploaded."""
    return _UPLOADED.sub("", name.rpartition("/")[2])


def _region(
    found: Collector, row: int, item: dict[str, Any], value: dict[str, Any], where: str
) -> None:
    labels = _labels(value)
    width, height = found.images[row]["width"], found.images[row]["height"]
    if not width or not height:
        found.counts["other"] += 1
        return
    across, down = width / 100, height / 100
    turned = a_number(value.get("rotation")) or 0
    if "points" in value:
        try:
            points = [(float(x) * across, float(y) * down) for x, y in value["points"]]
            box = four_numbers(polygon_box(points), where)
        except (TypeError, ValueError):
            raise DataError(f"{where}: 'points' are not [[x, y], ...]") from None
        turned = 1.0
    elif "radiusX" in value:
        keys = ("x", "y", "radiusX", "radiusY")
        x, y, rx, ry = four_numbers([value.get(key) for key in keys], where)
        box = ((x - rx) * across, (y - ry) * down, 2 * rx * across, 2 * ry * down)
        turned = 1.0
    elif "width" in value:
        x, y, w, h = four_numbers([value.get(key) for key in _SIDES], where)
        box = (x * across, y * down, w * across, h * down)
        if turned:  # about its top-left corner
            box = polygon_box(turned_corners(box, turned, box[:2]))
    else:
        found.counts["other"] += 1
        return
    found.counts["outlined"] += bool(turned)
    found.counts["doubtful"] += len(labels) > 1
    score = a_number(item.get("score"))
    found.box(row, str(labels[0]), box, math.nan if score is None else min(max(score, 0), 1))


def write(annotations: Annotations, path: Path, root: Path) -> None:
    """Write a list of tasks, as Label Studio imports it.

    Args:
        annotations: With every photo's size.
        path: The file to write.
        root: Not used.
    """
    tasks = [
        {
            "id": number,
            "data": {"image": record["file"]},
            "annotations": [{"id": number, "result": list(_written(record, boxes))}],
        }
        for number, (record, boxes) in enumerate(annotations.records(), start=1)
    ]
    path.write_text(json.dumps(tasks, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _written(record: dict[str, Any], boxes: list[Any]) -> Iterator[dict[str, Any]]:
    width, height = record["width"], record["height"]
    for number, box in enumerate(boxes):
        numbers = (box.x / width, box.y / height, box.w / width, box.h / height)
        sides = {key: round(100 * n, 8) for key, n in zip(_SIDES, numbers, strict=True)}
        yield {
            "id": f"{number}",
            "type": "rectanglelabels",
            "from_name": "label",
            "to_name": "image",
            "original_width": width,
            "original_height": height,
            "image_rotation": 0,
            "value": {**sides, "rotation": 0, "rectanglelabels": [box.label]},
        }
