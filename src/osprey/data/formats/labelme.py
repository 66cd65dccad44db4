"""labelme: a JSON file a photo, with outlines in pixels."""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from osprey.data.folders import some_files
from osprey.data.formats.folder_splits import split_by_folders
from osprey.data.formats.json_file import JsonFile, json_files, opened
from osprey.data.formats.options import TRAINING, Options
from osprey.data.formats.placing import check_stems
from osprey.data.formats.table import Annotations, Collector
from osprey.data.formats.values import a_number, a_side
from osprey.data.manifest import SPLIT_NAMES
from osprey.errors import DataError
from osprey.imaging.boxes import polygon_box
from osprey.imaging.decode import decode

_LINES = ("line", "linestrip", "point", "points")


def read(path: Path, root: Path, options: Options = TRAINING) -> Annotations:
    """Read a folder of JSON files, or one of them.

    Polygons, circles and masks count by the box round them; lines and points are left out.

    Raises:
        DataError: One line with the file's name.
    """
    found = Collector(root, options)
    files = [path] if path.is_file() else json_files(path)
    for file in files:
        content = JsonFile(file)
        if not _is_labelme(content):
            if path.is_file():
                raise DataError(f"'{file}' is no labelme file: it has no 'shapes' and 'imagePath'")
            found.counts["foreign"] += 1
            continue
        _take(found, file, content, path)
    if not found.images:
        raise DataError(f"no labelme file in '{path}'")
    split_by_folders(found)
    found.tell("foreign", "left out, JSON files that are not labelme's: {}")
    found.tell("outlined", "polygons, circles and masks, taken as the boxes round them: {}")
    found.tell("lines", "left out, lines and points: {}")
    return found.done()


def sniff(path: Path) -> str:
    """Why a path does not hold labelme's files; "" if it does."""
    file = path if path.is_file() else next(some_files(path, ".json"), None)
    if file is None or file.suffix.lower() != ".json":
        return "no JSON file"
    return "" if _is_labelme(opened(file)) else "no 'shapes' and 'imagePath' in the JSON"


def _is_labelme(content: JsonFile) -> bool:
    return {"shapes", "imagePath"} <= set(content.keys)


def _take(found: Collector, file: Path, content: JsonFile, top: Path) -> None:
    named = str(content.get("imagePath") or "").replace("\\", "/")
    if not named:
        raise DataError(f"'{file}': 'imagePath' names no photo")
    sides = [a_side(content.get(key)) for key in ("imageWidth", "imageHeight")]
    if None in sides:
        raise DataError(f"'{file}': imageWidth or imageHeight makes no sense")
    name, split = named, ""
    base = found.root if file.parent.is_relative_to(found.root) else top
    if file.parent.is_relative_to(base):
        folder = file.parent.relative_to(base)  # JSON files elsewhere lie as the photos do
        for beside in (os.path.normpath(folder / named), folder / PurePosixPath(named).name):
            if not str(beside).startswith("..") and (found.root / beside).is_file():
                name = Path(beside).as_posix()
                break
        splits = {SPLIT_NAMES[p.lower()] for p in folder.parts if p.lower() in SPLIT_NAMES}
        split = splits.pop() if len(splits) == 1 else ""
    said = {"split": split} if split else {}
    row = found.image(name, sides[0] or 0, sides[1] or 0, **said)
    for number, shape in enumerate(content.entries("shapes") or ()):
        where = f"'{file}', shape {number}"
        if not isinstance(shape, dict) or not str(shape.get("label") or "").strip():
            raise DataError(f"{where}: no object {{...}} with a label")
        box = _box(shape, where)
        if box is None:
            found.counts["lines"] += 1
            continue
        found.counts["outlined"] += (
            shape.get("shape_type") not in (None, "rectangle") or len(shape["points"]) != 2
        )
        found.box(row, str(shape["label"]), box, extra=_said(shape))


def _said(shape: dict[str, Any]) -> dict[str, Any]:
    """What else is said of a shape: its flags, its group, its description."""
    keys = ("flags", "group_id", "description", "attributes")
    said = {key: shape[key] for key in keys if shape.get(key) not in (None, "", {})}
    marks = {mark: int(bool(shape[mark])) for mark in ("difficult",) if mark in shape}
    return {**marks, "attributes": said} if said else marks


def _box(shape: dict[str, Any], where: str) -> tuple[float, float, float, float] | None:
    """The box of a shape; None of lines and points."""
    kind = str(shape.get("shape_type") or "polygon")
    if kind in _LINES:
        return None
    try:
        points = [(_number(x), _number(y)) for x, y in shape["points"]]
        if kind == "circle":
            (x, y), (x2, y2) = points
            radius = ((x2 - x) ** 2 + (y2 - y) ** 2) ** 0.5
            return x - radius, y - radius, 2 * radius, 2 * radius
        if kind == "mask" and shape.get("mask"):
            return _of_mask(str(shape["mask"]), points[0])
        return polygon_box(points)
    except (KeyError, TypeError, ValueError, IndexError):
        raise DataError(f"{where}: 'points' are not [[x, y], ...] of a {kind}") from None


def _number(value: object) -> float:
    number = a_number(value)
    if number is None or abs(number) >= 1e9:
        raise ValueError(value)
    return number


def _of_mask(text: str, corner: tuple[float, float]) -> tuple[float, float, float, float] | None:
    """The box of a mask: a picture in base64, whose top-left corner is given."""
    pixels = decode(base64.b64decode(text), name="mask")
    across, down = np.flatnonzero(pixels.any((0, 2))), np.flatnonzero(pixels.any((1, 2)))
    if not len(across):
        return None
    left, top = corner[0] + float(across[0]), corner[1] + float(down[0])
    return left, top, float(across[-1] - across[0] + 1), float(down[-1] - down[0] + 1)


def write(annotations: Annotations, path: Path, root: Path) -> None:
    """Write a JSON file a photo, in folders as the photos', to be laid beside them.

    Args:
        annotations: With every photo's size.
        path: The new folder.
        root: Not used.
    """
    records = annotations.records()
    check_stems(record["file"] for record, _ in records)
    for record, boxes in records:
        shapes: list[dict[str, Any]] = [
            {
                "label": box.label,
                "points": [
                    [round(box.x, 4), round(box.y, 4)],
                    [round(box.x + box.w, 4), round(box.y + box.h, 4)],
                ],
                "group_id": None,
                "shape_type": "rectangle",
                "flags": {},
            }
            for box in boxes
        ]
        content: dict[str, Any] = {
            "version": "5.0.0",
            "flags": {},
            "shapes": shapes,
            "imageData": None,
        }
        content["imagePath"] = PurePosixPath(record["file"]).name  # labelme looks beside the JSON
        content |= {"imageHeight": record["height"], "imageWidth": record["width"]}
        file = (path / record["file"]).with_suffix(".json")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
