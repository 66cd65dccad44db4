"""The three lists of a COCO file, checked entry by entry."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from osprey.data.class_folders import subfolders
from osprey.data.formats.json_file import JsonFile
from osprey.data.formats.parsing import line_of
from osprey.data.manifest import SPLIT_NAMES
from osprey.errors import DataError

PARTS = ("images", "annotations", "categories")


class CocoFile:
    """The three lists of a COCO file, checked.

    Args:
        path: The file.

    Raises:
        DataError: It is malformed, or lacks a list.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.json = JsonFile(path).object()
        for part in PARTS:
            if self.json.entries(part) is None:
                raise DataError(f"'{path}' is no COCO file: it has no list '{part}'")

    def items(self, part: str) -> Iterator[dict[str, Any]]:
        """The entries of a list.

        Raises:
            DataError: One is no object.
        """
        for number, item in enumerate(self.json.entries(part) or ()):
            yield self.checked(item, part, number)

    def checked(self, item: Any, part: str, number: int) -> dict[str, Any]:
        """An entry of a list.

        Raises:
            DataError: It is no object.
        """
        if not isinstance(item, dict):
            raise DataError(f"'{self.path}': entry {number} of '{part}' is no object {{...}}")
        return item

    def by_id(self, part: str, name: str) -> dict[Any, dict[str, Any]]:
        """The entries of a list by their ids.

        Args:
            part: Of the list.
            name: The key that each entry needs besides ``id``.

        Raises:
            DataError: An entry lacks either, or two have one id.
        """
        items: dict[Any, dict[str, Any]] = {}
        for number, item in enumerate(self.items(part)):
            key = item.get("id")
            for needed in ("id", name):
                if not isinstance(item.get(needed), str | int | float) or item[needed] == "":
                    raise DataError(f"'{self.path}': entry {number} of '{part}' has no '{needed}'")
            if key in items:
                raise DataError(f"'{self.path}': two entries of '{part}' have the id {key!r}")
            items[key] = item
        return items

    def wrong(self, key: str, value: object, why: str) -> DataError:
        """An error about a value, with its line."""
        line = line_of(self.json.text, key, value)
        return DataError(f"'{self.path}' line {line}: {key} {value!r:.40} {why}")

    def photo_folder(self, root: Path, images: Iterable[dict[str, Any]], split: str = "") -> str:
        """Where below the root the photos lie, as the first one found shows.

        Args:
            root: The folder.
            images: The file's photos.
            split: Of all of them: a folder of its name comes before others; "" where it is open.
        """
        stem = self.path.stem.removeprefix("instances_")
        places = [root, self.path.parent]
        tops = [root, root / "images"] if split else []
        places += [
            below
            for top in tops
            for below in subfolders(top)
            if SPLIT_NAMES.get(below.name.lower()) == split
        ]
        places += [root / place for place in ("images", stem, f"images/{stem}")]
        places += [self.path.parent / place for place in ("data", "images")]
        for item in list(images)[:20]:
            for place in places:
                if place.is_relative_to(root) and os.path.isfile(place / str(item["file_name"])):
                    folder = place.relative_to(root).as_posix()
                    return "" if folder == "." else f"{folder}/"
        return ""
