"""COCO's JSON, written."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from osprey.data.formats.coco import UNSPLIT
from osprey.data.formats.table import IMAGE_FIELDS, Annotations, BoxRow
from osprey.data.formats.values import ById


def write(annotations: Annotations, path: Path, root: Path) -> None:
    """Write one file, the splits named in it, or into a folder one file a split.

    What was read from COCO keeps its ids, where they are unique, and whatever else COCO said.
    """
    if path.suffix.lower() == ".json":
        path.write_text(_json(annotations, None), encoding="utf-8")
        return
    (path / "annotations").mkdir(parents=True)
    splits = annotations.images.get("split")
    for split in {""} if splits is None else {value or "" for value in splits}:
        text = _json(annotations, split)
        (path / "annotations" / f"{split or UNSPLIT}.json").write_text(text, encoding="utf-8")


def _json(annotations: Annotations, split: str | None) -> str:
    categories = _categories(annotations)
    of_name = {item["name"]: item["id"] for item in categories}
    records = annotations.records()
    ids = _ids([(record.get("coco") or {}).get("id") for record, _ in records])
    own = _ids([(box.extra or {}).get("id") for _, boxes in records for box in boxes])
    images: list[dict[str, Any]] = []
    entries: list[dict[str, Any]] = []
    number = 0
    for (record, boxes), image in zip(records, ids, strict=True):
        numbers, number = own[number : number + len(boxes)], number + len(boxes)
        if split is not None and (record.get("split") or "") != split:
            continue
        said = {key: record[key] for key in IMAGE_FIELDS if record.get(key) is not None}
        size = {side: int(record[side]) for side in ("width", "height")}
        more = record.get("coco") or {}
        images.append({**more, "id": image, "file_name": record["file"], **size, **said})
        for box, key in zip(boxes, numbers, strict=True):
            entry = {"id": key, "image_id": image, "category_id": of_name[box.label]}
            entries.append(entry | _box(box))
    about: dict[str, Any] = {
        key: annotations.kept[key] for key in ("info", "licenses") if key in annotations.kept
    }
    content = {**about, "images": images, "annotations": entries, "categories": categories}
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"


def _categories(annotations: Annotations) -> list[dict[str, Any]]:
    known = annotations.kept.get("categories", {})
    ids = _ids([known.get(name, {}).get("id") for name in annotations.classes])
    names = zip(annotations.classes, ids, strict=True)
    return [{**known.get(name, {}), "id": number, "name": name} for name, number in names]


def _ids(given: list[Any]) -> list[Any]:
    """The ids as they were, if every entry has one of its own; else numbers from 1."""
    known = [key for key in given if isinstance(key, str | int | float)]
    apart = ById(dict.fromkeys(known))
    own = len(known) == len(given) == len(set(known)) and all(apart.key(k) == k for k in known)
    return known if own and known else list(range(1, len(given) + 1))


def _box(box: BoxRow) -> dict[str, Any]:
    entry: dict[str, Any] = {"bbox": [round(v, 4) for v in (box.x, box.y, box.w, box.h)]}
    entry |= {"area": round(box.w * box.h, 4), "iscrowd": 0}
    entry |= {key: value for key, value in (box.extra or {}).items() if key != "id"}
    if not math.isnan(box.score):
        entry["score"] = box.score
    if box.classifications is not None:
        entry["classifications"] = box.classifications
    return entry
