"""YOLO: ``data.yaml`` with the class names, photos, and one text file of boxes beside each.

A line of a text file is ``class x y w h``: the centre and the sides as fractions of the photo.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from osprey.data.folders import walk_photos
from osprey.data.formats.parsing import line_with, read_lines, read_text, read_yaml
from osprey.data.formats.placing import below, boxes_of, check_stems
from osprey.data.formats.table import Annotations, Collector
from osprey.data.formats.values import a_score, four_numbers
from osprey.data.manifest import SPLIT_NAMES
from osprey.errors import DataError
from osprey.system.console import counted

_NOT_BOXES = ("classes.txt", "train.txt", "val.txt", "valid.txt", "test.txt")


def read(path: Path, root: Path) -> Annotations:
    """Read the set that a ``data.yaml``, or the folder it lies in, describes.

    Both layouts are supported, ``images/train`` with ``labels/train`` and ``train/images`` with
    ``train/labels``. Photos in two splits get none. Photos without a text file have no objects; a
    notice counts them, other than those whose file is empty.

    Args:
        path: ``data.yaml``, or its folder.
        root: Folder that the photos' names are relative to.

    Returns:
        The annotations, boxes in pixels.

    Raises:
        DataError: One line with file and line number.
    """
    file = path if path.is_file() else _yaml_in(path)
    content = read_yaml(file)
    names = _names(content, file)
    found = Collector(root)
    found.classes.update(dict.fromkeys(names.values()))
    unannotated: list[str] = []
    photos = _photos(content, file)
    check_stems(photos)
    for photo, split in photos.items():
        name = below(photo, root)
        row = found.measured(name, split=split)
        boxes = boxes_of(photo)
        if boxes.is_file():
            _take(found, row, boxes, names)
        else:
            unannotated.append(name)
    _check_orphans(photos)
    if unannotated:
        count = counted(len(unannotated), "photo")
        found.notices.append(
            f"no text file of boxes, taken as photos of nothing: {count} such as '{unannotated[0]}'"
        )
    return found.done()


def _yaml_in(folder: Path) -> Path:
    files = [*sorted(folder.glob("*.yaml")), *sorted(folder.glob("*.yml"))]
    named = [file for file in files if file.stem == "data"] or files
    if len(named) != 1:
        what = "no" if not named else f"{len(named)} files beside"
        raise DataError(f"{what} data.yaml in '{folder}': name it with data.file=data.yaml")
    return named[0]


def _names(content: dict[str, Any], file: Path) -> dict[int, str]:
    """Class names by number, from a list or from ``number: name`` lines."""
    names: Any = content.get("names")
    try:
        pairs = enumerate(names) if isinstance(names, list) else names.items()
        known = {int(number): str(name).strip() for number, name in pairs}
    except (ValueError, AttributeError):
        known = {0: ""}
    if not all(known.values()):
        line = line_with(read_text(file), "names")
        raise DataError(f"'{file}' line {line}: 'names' is no list of class names")
    return known


def _photos(content: dict[str, Any], file: Path) -> dict[str, str]:
    """Each photo's absolute path with its split."""
    base = file.parent / str(content.get("path") or "")
    base = base if base.is_dir() else file.parent  # written for another machine
    splits: dict[str, set[str]] = {}
    for key, split in SPLIT_NAMES.items():
        entries = content.get(key) or []
        for entry in entries if isinstance(entries, list) else [entries]:
            place = _place(str(entry), base, file)
            listed = _listed(place) if place.is_file() else walk_photos(place)
            for photo in listed:
                splits.setdefault(os.path.abspath(photo), set()).add(split)
    if not splits:
        for photo in walk_photos(base):
            splits[os.path.abspath(photo)] = set()
    if not splits:
        raise DataError(f"'{file}' names no photos")
    return {photo: min(of) if len(of) == 1 else "" for photo, of in splits.items()}


def _place(entry: str, base: Path, file: Path) -> Path:
    """Where a split's photos are; ``../train/images`` is how some write ``train/images``."""
    inside = entry.replace("\\", "/")
    while inside.startswith("../"):
        inside = inside[3:]
    for place in (base / entry, file.parent / entry, base / inside):
        if place.exists():
            return place
    line = line_with(read_text(file), entry)
    raise DataError(f"'{file}' line {line}: there is no '{entry}' under '{base}'")


def _listed(file: Path) -> list[Path]:
    """Photos that a text file lists, one a line."""
    photos = []
    for number, line in enumerate(read_lines(file), start=1):
        if line.strip():
            photo = file.parent / line.strip()
            if not photo.is_file():
                raise DataError(f"'{file}' line {number}: there is no photo '{line.strip()}'")
            photos.append(photo)
    return photos


def _take(found: Collector, row: int, file: Path, names: dict[int, str]) -> None:
    for number, line in enumerate(read_lines(file), start=1):
        words = line.split()
        if not words:
            continue
        where = f"'{file}' line {number}"
        if len(words) not in (5, 6):  # the sixth is a detector's confidence
            raise DataError(f"{where}: {len(words)} numbers where a box has 5: class x y w h")
        is_known = words[0].isdecimal() and len(words[0]) < 10 and int(words[0]) in names
        if not is_known:
            known = ", ".join(f"{n} {name}" for n, name in list(names.items())[:10])
            raise DataError(f"{where}: class {words[0]} is not among the names ({known})")
        x, y, w, h = four_numbers(words[1:5], where)
        score = [a_score(words[5], where)] if len(words) == 6 else []
        found.fraction(row, names[int(words[0])], (x - w / 2, y - h / 2, w, h), *score)


def _check_orphans(photos: dict[str, str]) -> None:
    """Refuse boxes without a photo."""
    wanted = {boxes_of(photo) for photo in photos}
    for folder in sorted({file.parent for file in wanted}):
        for file in filter(Path.is_file, sorted(folder.glob("*.txt"))):
            if file not in wanted and file.name not in _NOT_BOXES and "labels" in file.parts:
                raise DataError(f"'{file}' line 1: there is no photo for these boxes")
