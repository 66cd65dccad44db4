"""MegaDetector's batch output, JSON format 1.6."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from osprey.data.formats.json_file import JsonFile, opened
from osprey.data.formats.options import TRAINING, Options
from osprey.data.formats.parsing import line_of
from osprey.data.formats.table import IMAGE_FIELDS, Annotations, BoxRow, Collector
from osprey.data.formats.values import a_ranking, a_score, four_numbers
from osprey.errors import DataError

VERSION = "1.6"
HOLDS = frozenset({*IMAGE_FIELDS, "score", "classifications"} - {"split", "corrupt"})


def read(path: Path, root: Path, options: Options = TRAINING) -> Annotations:
    """Read a batch result; sizes not in the file are read from the photos.

    Args:
        path: The JSON file.
        root: Folder of the photos.
        options: How to read.

    Returns:
        The annotations; MegaDetector's fractions become pixels.

    Raises:
        DataError: One line with file and line number.
    """
    if path.is_dir():
        how = options.hint("file", "FILE.json")
        raise DataError(f"'{path}' is a folder: name MegaDetector's output with {how}")
    content = JsonFile(path).object()
    categories, names = content.get("detection_categories"), content.entries("images")
    if not isinstance(categories, dict) or names is None:
        raise DataError(
            f"'{path}' is no MegaDetector output: it has no 'detection_categories' and 'images'"
        )
    found = Collector(root, options, sources=[path])
    found.classes.update(dict.fromkeys(map(str, categories.values())))
    species = content.get("classification_categories")
    species = species if isinstance(species, dict) else {}
    found.species.update(dict.fromkeys(map(str, species.values())))
    info = content.get("info")
    found.info = info if isinstance(info, dict) else {}
    for number, item in enumerate(names):
        if not isinstance(item, dict) or not str(item.get("file", "")).strip():
            raise DataError(f"'{path}': entry {number} of 'images' has no 'file'")
        try:
            _take(found, item, categories, species)
        except DataError as error:
            line = line_of(content.text, "file", item["file"])
            raise DataError(f"'{path}' line {line}: {error}") from None
    return found.done()


def sniff(path: Path) -> str:
    """Why a path does not hold MegaDetector's output; "" if it does."""
    if path.is_dir():
        return "a folder, not a JSON file"
    if path.suffix.lower() != ".json":
        return "no JSON file"
    missing = {"detection_categories", "images"} - set(opened(path).keys)
    return f"no '{min(missing)}' in the JSON" if missing else ""


def _take(
    found: Collector,
    item: dict[str, Any],
    categories: dict[str, Any],
    species: dict[str, Any],
) -> None:
    file = str(item["file"])
    said = {key: item[key] for key in IMAGE_FIELDS if key in HOLDS and key in item}
    detections = item.get("detections")
    size = [item.get(side) for side in ("width", "height")]
    if detections is None:  # an image that failed, whatever its other fields
        found.image(file, **{**said, "failure": item.get("failure") or "no detections"})
        return
    if not isinstance(detections, list):
        raise DataError(f"'detections' of '{file}' is no list")
    if all(isinstance(side, int) and 0 < side < 1e9 for side in size):
        row = found.image(file, *map(int, filter(None, size)), **said)
    else:
        row = found.measured(file, **said)
    for detection in detections:
        if not isinstance(detection, dict):
            raise DataError(f"a detection of '{file}' is no object {{...}}")
        category = str(detection.get("category"))
        if category not in categories:
            known = ", ".join(f"{key} {name}" for key, name in categories.items())
            raise DataError(f"category '{category}' is not among the categories ({known})")
        box = four_numbers(detection.get("bbox"), "bbox")
        score = a_score(detection.get("conf"), "conf")
        names = a_ranking(detection.get("classifications"), "classifications", species)
        found.fraction(row, str(categories[category]), box, score, names)


def write(annotations: Annotations, path: Path, root: Path) -> None:
    """Write one JSON file; a box without a score gets a confidence of 1.

    All known categories are listed, whether or not a box has them.

    Args:
        annotations: With every photo's size, as `measured` gives them.
        path: The file to write.
        root: Not used.
    """
    categories = {str(n): name for n, name in enumerate(annotations.classes, start=1)}
    records = annotations.records()
    ranked = [box.classifications or [] for _, boxes in records for box in boxes]
    named = sorted({str(name) for ranks in ranked for name, _ in ranks})
    names = dict.fromkeys([*annotations.species, *named])
    species = {name: str(number) for number, name in enumerate(names, start=1)}
    of_name = {name: key for key, name in categories.items()}
    images = []
    for record, boxes in records:
        entry = {"file": record["file"]}
        entry |= {side: record[side] for side in ("width", "height") if record[side]}
        entry |= {
            key: record[key] for key in IMAGE_FIELDS if key in HOLDS and record.get(key) is not None
        }
        if record.get("failure") is not None or record.get("corrupt") is True:
            entry["failure"] = record.get("failure") or "corrupt"
            entry["detections"] = None
        else:
            entry["detections"] = [_detection(box, record, of_name, species) for box in boxes]
        images.append(entry)
    version = {"format_version": VERSION}
    info = version | {"detector": "unknown"} | annotations.info | version
    content: dict[str, Any] = {"info": info}
    content["detection_categories"] = categories
    if species:
        content["classification_categories"] = {key: name for name, key in species.items()}
    content["images"] = images
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _detection(
    box: BoxRow, record: dict[str, Any], of_name: dict[str, str], species: dict[str, str]
) -> dict[str, Any]:
    width, height = record["width"], record["height"]
    fractions = [box.x / width, box.y / height, box.w / width, box.h / height]
    entry: dict[str, Any] = {
        "category": of_name[box.label],
        "conf": 1.0 if math.isnan(box.score) else box.score,
        "bbox": [round(value, 8) for value in fractions],
    }
    if box.classifications is not None:
        ranked = sorted(box.classifications, key=lambda pair: -pair[1])  # as the format wants
        entry["classifications"] = [[species[str(name)], p] for name, p in ranked]
    return entry
