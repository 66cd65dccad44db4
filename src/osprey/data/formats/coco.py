"""COCO: one JSON file, or one a split."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

from osprey.data.formats.coco_boxes import CHUNK, BoxColumns, plain_boxes
from osprey.data.formats.coco_file import PARTS, CocoFile
from osprey.data.formats.json_file import opened
from osprey.data.formats.options import TRAINING, Options
from osprey.data.formats.outlines import outline_box
from osprey.data.formats.table import IMAGE_FIELDS, MARKS, Annotations, Collector
from osprey.data.formats.values import (
    ById,
    a_flag,
    a_number,
    a_ranking,
    a_score,
    a_side,
    four_numbers,
)
from osprey.data.manifest import SPLIT_NAMES
from osprey.data.notices import Guess
from osprey.data.photo_paths import as_posix
from osprey.errors import DataError
from osprey.system.console import counted

UNSPLIT = "unsplit"  # the file of photos that have no split
_PLACES = (
    *("annotations/*.json", "*/_annotations.coco.json", "*.json"),
    *("*/*annotations*.json", "*/labels.json"),
)
_PLAIN = ("annotations", "labels", "coco", "instances", "_annotations")
_BESIDE = re.compile(r"^(annotations|labels|coco)[_-]|[_-](annotations|labels|coco)$")
_MARKS = frozenset(MARKS)
_OWN = ("image_id", "category_id", "bbox", "score", "classifications")  # a box's, beside `extra`


def read(path: Path, root: Path, options: Options = TRAINING) -> Annotations:
    """Read one file, or those of a folder, one a split or a single one.

    A file's name gives its split: ``annotations/instances_val2017.json``, ``annotations/val.json``
    or ``valid/_annotations.coco.json``.

    Raises:
        DataError: One line with file and line number.
    """
    found = Collector(root, options)
    for file, split in [(path, "")] if path.is_file() else coco_files(path, options):
        _File(file, split, found).read()
    found.tell("outlined", "boxes taken round the outline or mask, where there is no bbox: {}")
    found.tell("retyped", Guess("ids of another type than the entry's own, matched by value: {}"))
    found.tell("crowds", "left out, boxes round crowds (iscrowd): {}")
    if found.counts["crowded"]:
        # Without their boxes they would pass for photos of nothing.
        photos = counted(found.counts["crowded"], "photo")
        found.notices.append(f"left out, no boxes but round crowds: {photos}")
    if found.counts["bare"] and not found.images:
        how = "" if options.converting else ": data=camera_traps reads them"
        raise DataError(f"'{path}' has labels of whole photos, and no box or outline{how}")
    if bare := found.counts["bare"]:
        found.notices.append(f"left out, named but not boxed: {counted(bare, 'photo')}")
    return found.done()


def sniff(path: Path) -> str:
    """Why a path does not hold COCO; "" if it does."""
    if path.is_dir():
        try:
            path = coco_files(path)[0][0]
        except DataError:
            several = next(path.glob("*.json"), None) or next(path.glob("annotations/*.json"), None)
            why = "several JSON files, none of which names a split"
            return why if several else "no JSON file in it or in annotations/"
    if path.suffix.lower() != ".json":
        return "no JSON file"
    missing = [part for part in PARTS if part not in opened(path).keys]
    return f"no '{missing[0]}' in the JSON" if missing else ""


def coco_files(folder: Path, options: Options = TRAINING) -> list[tuple[Path, str]]:
    """Annotation files in a folder, each with the split in its name.

    Args:
        folder: Of the set.
        options: Whose command the refusal names.

    Raises:
        DataError: There is none, or several of which none names a split.
    """
    for pattern in _PLACES:
        files = [f for f in sorted(folder.glob(pattern)) if not f.name.startswith(".")]
        splits = {file: _split_of(file) for file in files}
        if any(splits.values()):
            return [(f, split) for f, split in splits.items() if split or f.stem == UNSPLIT]
        if len(files) == 1:
            return [(files[0], "")]
        if files:
            names = ", ".join(f.name for f in files[:5])
            how = options.hint("file", "FILE")
            raise DataError(f"'{folder}' has several JSON files ({names}): name one with {how}")
    how = options.hint("file", "ANNOTATIONS.json")
    raise DataError(f"no COCO file in '{folder}': name it with {how}")


def _split_of(file: Path) -> str:
    """``val`` of ``instances_val2017.json``, ``valid/_annotations.coco.json`` or ``Val.json``."""
    if file.name == "_annotations.coco.json":
        return SPLIT_NAMES.get(file.parent.name.lower(), "")
    words = file.stem.lower().removeprefix("instances_").rstrip("0123456789_")
    if words in _PLAIN:  # train/annotations.json
        words = file.parent.name.lower()
    return SPLIT_NAMES.get(words) or SPLIT_NAMES.get(_BESIDE.sub("", words), "")


class _File(CocoFile):
    """One COCO file on its way into a collector."""

    def __init__(self, path: Path, split: str, found: Collector) -> None:
        super().__init__(path)
        self.split, self.found = split, found
        found.sources.append(path)

    def read(self) -> None:
        """Read everything; what is left out is counted."""
        found, counts = self.found, self.found.counts
        categories = self.by_id("categories", "name")
        self._tell_twins(categories)
        self.names = {key: found.label(item["name"]) for key, item in categories.items()}
        found.classes.update(dict.fromkeys(self.names.values()))
        images = self.by_id("images", "file_name")
        self.of_image, self.of_category = ById(images), ById(categories)
        self.image_numbers = {key: number for number, key in enumerate(images)}
        self.class_numbers = {key: number for number, key in enumerate(categories)}
        self.columns = BoxColumns()
        self.bare: set[int] = set()
        self.crowded: set[int] = set()
        self._read_boxes()
        boxed = self.columns.of_photos()
        self.crowded -= boxed
        self.bare -= boxed | self.crowded
        counts.update(crowded=len(self.crowded), bare=len(self.bare))
        folder = self.photo_folder(found.root, images.values(), self.split)
        left_out = self.bare | self.crowded
        rows = []
        for number, item in enumerate(images.values()):
            name = f"{folder}{item['file_name']}"
            if number in left_out:
                rows.append(-1)  # of no box
                found.left_out.add(as_posix(found.photos.find(name) or name))
                continue
            rows.append(found.image(name, *self._size(item), **self._said(item)))
        table = self.columns.table(rows, list(self.names.values()))
        found.tables += [] if table is None else [table]
        if found.options.whole:
            keep_whole(self, categories, found)

    def _read_boxes(self) -> None:
        """Read the annotations, a chunk at a time where they are plain boxes."""
        plain = not self.found.options.whole
        for start, parts in self.json.chunks("annotations", CHUNK):
            numbers = self.image_numbers, self.class_numbers
            chunk = plain_boxes(parts, *numbers) if plain else None
            if chunk is not None:
                self.columns.add_plain(chunk)
                self.found.counts["crowds"] += len(chunk.crowds)
                self.crowded.update(chunk.crowds)
                continue
            rows = []
            for place, part in enumerate(parts, start):
                item = self.json.entry(part, "annotations", place)
                row = self._row(self.checked(item, "annotations", place))
                rows += [] if row is None else [row]
            self.columns.add(rows)

    def _row(self, item: dict[str, Any]) -> tuple[int, int, Any, Any] | None:
        """The numbers of photo and class, the box and what is said of it; None without a box."""
        image, category = self._keys(item)
        number = self.image_numbers[image]
        if a_flag(item.get("iscrowd")):
            self.found.counts["crowds"] += 1
            self.crowded.add(number)
        elif (box := self._box(item, image)) is not None:
            return number, self.class_numbers[category], box, self._said_of_box(item, image)
        elif self.names[category].lower() != "empty":
            self.bare.add(number)
        return None

    def _tell_twins(self, categories: dict[Any, dict[str, Any]]) -> None:
        ids: dict[str, list[Any]] = {}
        for key, item in categories.items():
            ids.setdefault(self.found.label(item["name"]), []).append(key)
        for name, keys in ids.items():
            if len(keys) > 1:
                said = ", ".join(map(repr, keys))
                line = f"one class '{name}' of several category ids: {said}"
                self.found.notices.append(Guess(line))

    def _keys(self, item: dict[str, Any]) -> tuple[Any, Any]:
        """The ids, as the lists give them, of a box's photo and class."""
        said = item.get("image_id"), item.get("category_id")
        image, category = self.of_image.key(said[0]), self.of_category.key(said[1])
        if image is None:
            raise self.wrong("image_id", said[0], "is not among the images")
        if category is None:
            known = ", ".join(f"{i} {name}" for i, name in list(self.names.items())[:10])
            raise self.wrong("category_id", said[1], f"is not among the categories ({known})")
        if type(image) is not type(said[0]) or type(category) is not type(said[1]):
            self.found.counts["retyped"] += 1
        return image, category

    def _where(self, item: dict[str, Any], image: object) -> str:
        return f"'{self.path}', annotation {item.get('id', '')} of image {image}"

    def _box(self, item: dict[str, Any], image: object) -> tuple[float, float, float, float] | None:
        box = item.get("bbox")
        outline = item.get("segmentation")
        if outline and isinstance(box, list) and len(box) == 4 and not any(map(a_number, box[2:])):
            box = None  # zeros stand where nobody drew one
        if box is not None and box != []:
            return four_numbers(box, self._where(item, image))
        if not outline:
            return None
        found = outline_box(outline, self._where(item, image))
        self.found.counts["outlined"] += found is not None
        return found

    def _said_of_box(
        self, item: dict[str, Any], image: object
    ) -> tuple[float, list[Any] | None, dict[str, Any] | None]:
        score, ranking = item.get("score"), item.get("classifications")
        number, ranked = math.nan, None
        if score is not None or ranking is not None:
            where = self._where(item, image)
            number = math.nan if score is None else a_score(score, where)
            ranked = a_ranking(ranking, f"{where}: classifications", {})
        more = item.get("attributes")
        if not (self.found.options.whole or more) and _MARKS.isdisjoint(item):
            return number, ranked, None
        extra = {}
        if self.found.options.whole:
            extra = {k: v for k, v in item.items() if k not in _OWN and v not in (None, [], {})}
            extra.pop("iscrowd", None)
            if "segmentation" not in extra:
                extra.pop("area", None)
        for mark in MARKS:
            if mark in item or (isinstance(more, dict) and mark in more):
                extra[mark] = int(a_flag(item[mark] if mark in item else more[mark]))  # type: ignore[index]
        return number, ranked, extra or None

    def _size(self, item: dict[str, Any]) -> tuple[int, int]:
        width, height = a_side(item.get("width")), a_side(item.get("height"))
        if width is None or height is None:
            raise self.wrong("file_name", item["file_name"], "has a width or height of no sense")
        return width, height

    def _said(self, item: dict[str, Any]) -> dict[str, Any]:
        said = {key: item[key] for key in IMAGE_FIELDS if key in item}
        if self.found.options.whole:
            own = ("file_name", "width", "height", *IMAGE_FIELDS)
            said["coco"] = {key: value for key, value in item.items() if key not in own}
        return {**said, "split": self.split} if self.split else said


def keep_whole(file: CocoFile, categories: dict[Any, dict[str, Any]], found: Collector) -> None:
    """Keep what only COCO says, for a COCO file that is made of this one.

    Args:
        file: The file.
        categories: By id.
        found: Takes them; of several files the first counts.
    """
    for key in ("info", "licenses"):
        value = file.json.get(key)
        if value:
            found.kept.setdefault(key, value)
    known = found.kept.setdefault("categories", {})
    for item in categories.values():
        known.setdefault(found.label(item["name"]), item)
