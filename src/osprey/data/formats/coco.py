"""COCO and COCO Camera Traps: one JSON file, or one a split."""

from __future__ import annotations

import json
import math
import os
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from osprey.data.formats.parsing import line_of, read_json
from osprey.data.formats.table import IMAGE_FIELDS, Annotations, BoxRow, Collector
from osprey.data.formats.values import a_ranking, a_score, four_numbers
from osprey.data.manifest import SPLIT_NAMES
from osprey.errors import DataError
from osprey.system.console import counted

_PARTS = ("images", "annotations", "categories")
_UNSPLIT = "unsplit"  # the file of photos that have no split


def read(path: Path, root: Path) -> Annotations:
    """Read one file, or those of a folder, one a split or a single one.

    A file's name gives its split: ``annotations/instances_val2017.json``, ``annotations/val.json``
    or ``valid/_annotations.coco.json``.

    Raises:
        DataError: One line with file and line number.
    """
    found = Collector(root)
    left: Counter[str] = Counter()
    for file, split in [(path, "")] if path.is_file() else _files_of(path):
        left.update(_File(file, split, found).read())
    if left["crowds"]:
        found.notices.append(f"left out, boxes round crowds (iscrowd): {left['crowds']}")
    if left["crowded"]:
        # Without their boxes they would pass for photos of nothing.
        photos = counted(left["crowded"], "photo")
        found.notices.append(f"left out, no boxes but round crowds: {photos}")
    if left["bare"]:
        found.notices.append(f"left out, named but not boxed: {counted(left['bare'], 'photo')}")
    return found.done()


def _files_of(folder: Path) -> list[tuple[Path, str]]:
    """Annotation files in a folder, each with the split in its name."""
    for pattern in ("annotations/*.json", "*/_annotations.coco.json", "*.json"):
        files = [f for f in sorted(folder.glob(pattern)) if not f.name.startswith(".")]
        splits = {file: _split_of(file) for file in files}
        if any(splits.values()):
            return [(f, split) for f, split in splits.items() if split or f.stem == _UNSPLIT]
        if len(files) == 1:
            return [(files[0], "")]
        if files:
            names = ", ".join(f.name for f in files[:5])
            raise DataError(f"'{folder}' has several JSON files ({names}): name one with data.file")
    raise DataError(f"no COCO file in '{folder}': name it with data.file=ANNOTATIONS.json")


def _split_of(file: Path) -> str:
    """``val`` of ``instances_val2017.json``, ``valid/_annotations.coco.json`` or ``Val.json``."""
    if file.name == "_annotations.coco.json":
        return SPLIT_NAMES.get(file.parent.name.lower(), "")
    word = file.stem.lower().removeprefix("instances_").rstrip("0123456789")
    return SPLIT_NAMES.get(word, "")


class _File:
    """One COCO file on its way into a collector."""

    def __init__(self, path: Path, split: str, found: Collector) -> None:
        self.path, self.split, self.found = path, split, found
        found.sources.append(path)
        self.content, self.text = read_json(path)
        for part in _PARTS:
            if not isinstance(self.content.get(part), list):
                raise DataError(f"'{path}' is no COCO file: it has no list '{part}'")

    def read(self) -> dict[str, int]:
        """Read everything; returns how many crowd boxes and photos are left out."""
        categories = self._by_id("categories", "name")
        found = self.found
        found.classes.update(dict.fromkeys(str(item["name"]) for item in categories.values()))
        images = self._by_id("images", "file_name")
        boxed: dict[Any, list[BoxRow]] = {}
        bare: set[Any] = set()
        crowded: set[Any] = set()
        crowds = 0
        for item in self._items("annotations"):
            image, category = item.get("image_id"), item.get("category_id")
            if not isinstance(image, str | int | float) or image not in images:
                raise self._wrong("image_id", image, "is not among the images")
            if not isinstance(category, str | int | float) or category not in categories:
                known = ", ".join(f"{i} {c['name']}" for i, c in list(categories.items())[:10])
                raise self._wrong("category_id", category, f"is not among the categories ({known})")
            name = str(categories[category]["name"])
            if item.get("bbox") is None:
                if name.lower() != "empty":
                    bare.add(image)
            elif item.get("iscrowd"):
                crowds += 1
                crowded.add(image)
            else:
                where = f"'{self.path}', annotation {item.get('id', '')} of image {image}"
                box = four_numbers(item["bbox"], where)
                boxed.setdefault(image, []).append(BoxRow(0, name, *box, *_scores(item, where)))
        crowded -= set(boxed)
        bare -= {*boxed, *crowded}
        folder = self._photo_folder(images.values())
        for key, item in images.items():
            if key not in bare and key not in crowded:
                file = f"{folder}{item['file_name']}"
                row = found.image(file, *self._size(item), **self._said(item))
                for one in boxed.get(key, []):
                    found.boxes.append(one._replace(image=row))
        return {"crowds": crowds, "crowded": len(crowded), "bare": len(bare)}

    def _items(self, part: str) -> Iterator[dict[str, Any]]:
        for number, item in enumerate(self.content[part]):
            if not isinstance(item, dict):
                raise DataError(f"'{self.path}': entry {number} of '{part}' is no object {{...}}")
            yield item

    def _by_id(self, part: str, name: str) -> dict[Any, dict[str, Any]]:
        items: dict[Any, dict[str, Any]] = {}
        for number, item in enumerate(self._items(part)):
            key = item.get("id")
            if not isinstance(key, str | int) or not str(item.get(name, "")).strip():
                raise DataError(f"'{self.path}': entry {number} of '{part}' lacks 'id' or '{name}'")
            if key in items:
                raise DataError(f"'{self.path}': two entries of '{part}' have the id {key!r}")
            items[key] = item
        return items

    def _wrong(self, key: str, value: object, why: str) -> DataError:
        line = line_of(self.text, key, value)
        return DataError(f"'{self.path}' line {line}: {key} {value!r:.40} {why}")

    def _size(self, item: dict[str, Any]) -> tuple[int, int]:
        sides = [item.get(side) or 0 for side in ("width", "height")]
        if not all(isinstance(side, int | float) and 0 <= side < 1e9 for side in sides):
            raise self._wrong("file_name", item["file_name"], "has a width or height of no sense")
        return int(sides[0]), int(sides[1])

    def _said(self, item: dict[str, Any]) -> dict[str, Any]:
        said = {key: item[key] for key in IMAGE_FIELDS if key in item}
        return {**said, "split": self.split} if self.split else said

    def _photo_folder(self, images: Iterable[dict[str, Any]]) -> str:
        """Where below the root the photos lie, as the first one found shows."""
        root, here = self.found.root, self.path.parent
        stem = self.path.stem.removeprefix("instances_")
        places = [root, here, *(root / p for p in ("images", stem, f"images/{stem}"))]
        for item in list(images)[:20]:
            for place in places:
                if place.is_relative_to(root) and os.path.isfile(place / str(item["file_name"])):
                    folder = place.relative_to(root).as_posix()
                    return "" if folder == "." else f"{folder}/"
        return ""


def _scores(item: dict[str, Any], where: str) -> tuple[float, list[Any] | None]:
    score, names = item.get("score"), item.get("classifications")
    number = math.nan if score is None else a_score(score, where)
    return number, a_ranking(names, f"{where}: classifications", {})


def write(annotations: Annotations, path: Path, root: Path) -> None:
    """Write one file, the splits named in it, or into a folder one file a split."""
    if path.suffix.lower() == ".json":
        path.write_text(_json(annotations, None), encoding="utf-8")
        return
    (path / "annotations").mkdir(parents=True)
    splits = annotations.images.get("split")
    for split in {""} if splits is None else {value or "" for value in splits}:
        text = _json(annotations, split)
        (path / "annotations" / f"{split or _UNSPLIT}.json").write_text(text, encoding="utf-8")


def _json(annotations: Annotations, split: str | None) -> str:
    ids = {name: number for number, name in enumerate(annotations.classes, start=1)}
    images: list[dict[str, Any]] = []
    entries: list[dict[str, Any]] = []
    for row, (record, boxes) in enumerate(annotations.records(), start=1):
        if split is not None and (record.get("split") or "") != split:
            continue
        said = {key: record[key] for key in IMAGE_FIELDS if record.get(key) is not None}
        size = {side: int(record[side]) for side in ("width", "height")}
        images.append({"id": row, "file_name": record["file"], **size, **said})
        for box in boxes:
            entry = {"id": len(entries) + 1, "image_id": row, "category_id": ids[box.label]}
            entries.append(entry | _box(box))
    categories = [{"id": number, "name": name} for name, number in ids.items()]
    content = {"images": images, "annotations": entries, "categories": categories}
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"


def _box(box: BoxRow) -> dict[str, Any]:
    entry: dict[str, Any] = {"bbox": [round(v, 4) for v in (box.x, box.y, box.w, box.h)]}
    entry |= {"area": round(box.w * box.h, 4), "iscrowd": 0}
    if not math.isnan(box.score):
        entry["score"] = box.score
    if box.classifications is not None:
        entry["classifications"] = box.classifications
    return entry
