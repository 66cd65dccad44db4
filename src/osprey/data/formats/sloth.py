"""Sloth's JSON: a list of photos with their rectangles, as the fisheries competition's boxes are.

There every rectangle's class is ``rect``: its label is then the class folder of its photo.
"""

from __future__ import annotations

import json
from pathlib import Path, PurePosixPath
from typing import Any

from osprey.data.folders import some_files
from osprey.data.formats.json_file import JsonFile, json_files, opened
from osprey.data.formats.options import TRAINING, Options
from osprey.data.formats.table import Annotations, Collector
from osprey.data.formats.values import a_number
from osprey.errors import DataError

_SHAPES = ("rect", "rectangle", "bbox")  # names of a form, not of a class
_SIDES = ("x", "y", "width", "height")


def read(path: Path, root: Path, options: Options = TRAINING) -> Annotations:
    """Read a JSON file, or all of a folder.

    Raises:
        DataError: One line with the file's name.
    """
    found = Collector(root, options)
    rows: dict[str, int] = {}
    for file in [path] if path.is_file() else json_files(path):
        content = JsonFile(file)
        if not _is_sloth(content):
            if path.is_file():
                raise DataError(
                    f"'{file}' is no file of Sloth's: no list of 'filename' and 'annotations'"
                )
            found.counts["foreign"] += 1
            continue
        for number, entry in enumerate(content.entries() or ()):
            _take(found, rows, entry, f"'{file}', photo {number}")
    if not found.images:
        raise DataError(
            f"no file of Sloth's in '{path}': name the JSON file, or the folder of several, with "
            "data.file=PATH (osprey convert: --input)"
        )
    found.tell("foreign", "left out, JSON files that are not Sloth's: {}")
    found.tell("other", "left out, points and other forms that are no rectangles: {}")
    return found.done()


def sniff(path: Path) -> str:
    """Why a path does not hold Sloth's files; "" if it does."""
    file = path if path.is_file() else next(some_files(path, ".json"), None)
    if file is None or file.suffix.lower() != ".json":
        return "no JSON file"
    return "" if _is_sloth(opened(file)) else "no list of 'filename' and 'annotations'"


def _is_sloth(content: JsonFile) -> bool:
    entries = content.entries()
    first = next(iter(entries), None) if entries is not None else None
    return isinstance(first, dict) and {"filename", "annotations"} <= set(first)


def _take(found: Collector, rows: dict[str, int], entry: Any, where: str) -> None:
    if not isinstance(entry, dict) or not str(entry.get("filename") or ""):
        raise DataError(f"{where}: no object {{...}} with a 'filename'")
    name = str(entry["filename"])
    row = rows.get(name)
    if row is None:
        row = rows[name] = found.image(name)
    folder = PurePosixPath(found.images[row]["file"]).parent.name
    for shape in entry.get("annotations") or ():
        if not isinstance(shape, dict):
            raise DataError(f"{where}: an annotation that is no object {{...}}")
        if not set(_SIDES) <= set(shape):
            found.counts["other"] += 1
            continue
        x, y, w, h = (a_number(shape[key]) for key in _SIDES)
        if x is None or y is None or w is None or h is None:
            raise DataError(f"{where}: x, y, width and height must be numbers")
        kind = str(shape.get("class") or "")
        label = folder if kind.lower() in ("", *_SHAPES) else kind
        if not label:
            raise DataError(
                f"{where}: its rectangles are called '{kind}', and '{name}' lies in no class folder"
            )
        found.box(row, label, (x, y, w, h))


def write(annotations: Annotations, path: Path, root: Path) -> None:
    """Write one JSON file.

    Args:
        annotations: The photos and boxes.
        path: The new file.
        root: Not used.
    """
    entries = []
    for record, boxes in annotations.records():
        rectangles = [
            {"class": box.label}
            | {key: round(value, 4) for key, value in zip(_SIDES, box[2:6], strict=True)}
            for box in boxes
        ]
        entries.append({"class": "image", "filename": record["file"], "annotations": rectangles})
    text = json.dumps(entries, indent=1, ensure_ascii=False)
    path.write_text(text + "\n", encoding="utf-8")
