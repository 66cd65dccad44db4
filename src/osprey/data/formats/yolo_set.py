"""What belongs to a YOLO set: its class names, and its photos by split."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from osprey.data.folders import walk_photos
from osprey.data.formats.json_file import JsonFile
from osprey.data.formats.options import Options
from osprey.data.formats.parsing import line_with, read_lines, read_text, read_yaml
from osprey.data.manifest import SPLIT_NAMES
from osprey.data.notices import Guess
from osprey.data.photo_paths import PhotoPaths
from osprey.errors import DataError
from osprey.system.console import counted

# Where tools that write no data.yaml list the classes, in the order of their numbers.
_LISTS = ("classes.txt", "obj.names", "predefined_classes.txt", "_darknet.labels")
UNSPLIT = "unsplit"  # our writer's folder of photos without a split
NOT_BOXES = (*_LISTS, "train.txt", "val.txt", "valid.txt", "test.txt", "notes.txt", "readme.txt")


@dataclass
class YoloSet:
    """Names and photos.

    Attributes:
        names: Class names by number.
        photos: Each photo's absolute path with its split, "" where it has none.
        keypoints: The lines hold keypoints after each box.
        notices: What was guessed or left out.
        by_folders: Nothing but folders says which split a photo is in.
    """

    names: dict[int, str]
    photos: dict[str, str]
    keypoints: bool = False
    notices: list[str] = field(default_factory=list)
    by_folders: bool = False


def find_set(path: Path, options: Options) -> YoloSet:
    """Find out what belongs to the set.

    Args:
        path: ``data.yaml``, ``obj.data``, a list of class names, or the folder of one of them.
        options: How to read.

    Raises:
        DataError: One line with file and line number.
    """
    file = path if path.is_file() else main_file(path, options)
    folder = path if path.is_dir() else file.parent
    if file.suffix.lower() in (".yaml", ".yml"):
        return _Splits(file, read_yaml(file)).done()
    if file.name == "notes.json":
        return YoloSet(_of_notes(file), _all_below(folder), by_folders=True)
    if file.suffix == ".data":
        return _of_darknet(file)
    top = folder.parent if folder.name == "labels" else folder
    return YoloSet(_listed_names(file), _all_below(top), by_folders=True)


def main_file(folder: Path, options: Options) -> Path:
    """The file that lists the classes.

    Raises:
        DataError: There is none, or several.
    """
    files = [*sorted(folder.glob("*.yaml")), *sorted(folder.glob("*.yml"))]
    named = [file for file in files if file.stem == "data"] or files
    if len(named) > 1:
        named = [file for file in named if _is_of_yolo(file)] or named
    if len(named) == 1:
        return named[0]
    if named:
        how = options.hint("file", "data.yaml")
        raise DataError(f"{len(named)} files beside data.yaml in '{folder}': name it with {how}")
    for pattern in ("*.data", *_LISTS, "notes.json", *(f"labels/{n}" for n in _LISTS), "*.names"):
        found = sorted(folder.glob(pattern))
        if found:
            return found[0]
    raise DataError(
        f"no data.yaml in '{folder}', nor classes.txt, notes.json or obj.data: name it with "
        f"{options.hint('file', 'data.yaml')}"
    )


def _is_of_yolo(file: Path) -> bool:
    try:
        content = read_yaml(file)
    except DataError:
        return False
    return "names" in content and bool({"path", "nc", *SPLIT_NAMES} & set(content))


def _listed_names(file: Path) -> dict[int, str]:
    names = [line.strip() for line in read_lines(file)]
    while names and not names[-1]:
        names.pop()
    if not names or not all(names):
        raise DataError(f"'{file}' line {len(names)}: is no list of class names, one a line")
    return dict(enumerate(names))


def _of_notes(file: Path) -> dict[int, str]:
    """Label Studio's: ``{"categories": [{"id": 0, "name": "cod"}, ...]}``."""
    try:
        return {int(item["id"]): str(item["name"]) for item in JsonFile(file).get("categories")}
    except (AttributeError, KeyError, TypeError, ValueError):
        raise DataError(f"'{file}': 'categories' are no list of id and name") from None


def _of_darknet(file: Path) -> YoloSet:
    """CVAT's and Darknet's ``obj.data``: ``names = ...``, ``train = ...``, ``valid = ...``."""
    pairs = [line.partition("=") for line in read_lines(file)]
    content: dict[str, Any] = {key.strip(): value.strip() for key, _, value in pairs if value}
    listed = str(content.get("names") or "obj.names").replace("\\", "/")
    tails = [listed, Path(listed).name, "obj.names"]
    names = next((file.parent / tail for tail in tails if (file.parent / tail).is_file()), None)
    if names is None:
        raise DataError(f"'{file}': there is no '{listed}', the list of class names")
    splits = {key: content[key] for key in SPLIT_NAMES if content.get(key)}
    return _Splits(file, {**splits, "names": list(_listed_names(names).values())}).done()


def _all_below(folder: Path) -> dict[str, str]:
    """Every photo, with the split that a folder on its way is named after."""
    photos = {}
    for photo in walk_photos(folder):
        parts = photo.relative_to(folder).parts[:-1]
        splits = {SPLIT_NAMES[part.lower()] for part in parts if part.lower() in SPLIT_NAMES}
        photos[os.path.abspath(photo)] = splits.pop() if len(splits) == 1 else ""
    if not photos:
        raise DataError(f"no photos under '{folder}'")
    return photos


def _only(splits: set[str], photo: str) -> str:
    """The split of a photo; none in the folder where our writer puts those without."""
    return "" if len(splits) != 1 or UNSPLIT in Path(photo).parts else min(splits)


class _Splits:
    """The photos that a ``data.yaml`` names, split by split."""

    def __init__(self, file: Path, content: dict[str, Any]) -> None:
        self.file, self.content = file, content
        base = file.parent / str(content.get("path") or "")
        self.base = base if base.is_dir() else file.parent  # written for another machine
        self.paths = PhotoPaths(self.base)
        self.notices: list[str] = []

    def done(self) -> YoloSet:
        splits: dict[str, set[str]] = {}
        for key, split in SPLIT_NAMES.items():
            entries = self.content.get(key) or []
            for entry in entries if isinstance(entries, list) else [entries]:
                for photo in self._photos(key, str(entry)):
                    splits.setdefault(os.path.abspath(photo), set()).add(split)
        by_folders = not splits
        if by_folders:
            splits = {photo: {split} - {""} for photo, split in _all_below(self.base).items()}
        several = [photo for photo, of in splits.items() if len(of) > 1]
        if several:
            count, both = counted(len(several), "photo"), " and ".join(sorted(splits[several[0]]))
            line = f"named in {both}, so in neither: {count}; they are split anew"
            self.notices.append(Guess(line))
        self.notices += self.paths.notice()
        photos = {photo: _only(of, photo) for photo, of in splits.items()}
        points = bool(self.content.get("kpt_shape"))
        return YoloSet(self._names(), photos, points, self.notices, by_folders)

    def _names(self) -> dict[int, str]:
        """Class names by number, from a list or from ``number: name`` lines."""
        names: Any = self.content.get("names")
        try:
            pairs = enumerate(names) if isinstance(names, list) else names.items()
            known = {int(number): str(name).strip() for number, name in pairs}
        except (ValueError, AttributeError):
            known = {0: ""}
        if not all(known.values()):
            line = line_with(read_text(self.file), "names")
            raise DataError(f"'{self.file}' line {line}: 'names' is no list of class names")
        return known

    def _photos(self, key: str, entry: str) -> Iterator[Path]:
        """The photos of an entry: a folder of them, or a list in a text file."""
        place = self._place(entry)
        if place is None:
            where = f"'{self.file}' line {line_with(read_text(self.file), entry)}"
            if SPLIT_NAMES[key] == "train":
                raise DataError(f"{where}: there is no '{entry}' under '{self.base}'")
            self.notices.append(f"{where}: {key} names '{entry}', which is not there; left out")
            return
        if not place.is_file():
            yield from walk_photos(place)
            return
        for number, line in enumerate(read_lines(place), start=1):
            if line.strip():
                yield self._listed(line.strip(), place, number)

    def _listed(self, line: str, file: Path, number: int) -> Path:
        photo = file.parent / line
        if os.path.isfile(photo):
            return photo
        found = self.paths.find(line)
        if found is None:
            raise DataError(f"'{file}' line {number}: there is no photo '{line}'")
        return self.base / found

    def _place(self, entry: str) -> Path | None:
        """Where a split's photos are: ``../train/images`` is how some write ``train/images``.

        Of a path of another machine, its longest end that is there.
        """
        for place in (self.base / entry, self.file.parent / entry):
            if place.exists():
                return place
        parts = [p for p in entry.replace("\\", "/").split("/") if p not in ("", ".", "..")]
        elsewhere = entry.startswith("/") or ":" in entry or entry.lower().endswith(".txt")
        named = [n for n, part in enumerate(parts) if Path(part).stem.lower() in SPLIT_NAMES]
        # An end that lacks the split's own name would be another split's folder.
        last = max(named, default=len(parts) - 1) if elsewhere else 0
        for start in range(last + 1):
            for base in (self.base, self.file.parent):
                place = base.joinpath(*parts[start:])
                if parts and place.exists():
                    if start:
                        line = f"'{entry}' of '{self.file}' taken for '{place}'"
                        self.notices.append(Guess(line))
                    return place
        return None
