"""Whether a table is one of photos and labels, and which of its columns are which."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path

from osprey.data.folders import some_files
from osprey.data.guess_columns import label_column, path_column, split_column
from osprey.data.tables import load_table
from osprey.errors import DataError
from osprey.imaging import IMAGE_SUFFIXES

_OURS = ("path", "label", "split", "group", "weight")
_PHOTOS = 100_000  # that are looked at
_SHOWN = 8  # columns in a question


@dataclass(frozen=True)
class PhotoTable:
    """A table whose cells name photos.

    Attributes:
        columns: ``{"path": COLUMN, "label": COLUMN, "split": COLUMN}``, as far as they are known.
        question: What to ask where the label is not known; "" where it is.
    """

    columns: dict[str, str]
    question: str


class SomePhotos:
    """Names of photos under a folder, by which it is seen whether a table names any.

    Args:
        root: The folder. Of a million photos a part is looked at.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    @cached_property
    def _names(self) -> dict[str, str]:
        names: dict[str, str] = {}
        for photo in islice(some_files(self.root, tuple(IMAGE_SUFFIXES)), _PHOTOS):
            name = unicodedata.normalize("NFC", photo.name)
            names[name] = names[os.path.splitext(name)[0]] = photo.name
        return names

    def choices(self, name: str, *, bare: bool = False) -> list[str]:
        """The photo that a cell seems to name, as `PhotoPaths.choices` finds it for sure."""
        if "\0" not in name and os.path.isfile(self.root / name):
            return [name]
        last = unicodedata.normalize("NFC", name.replace("\\", "/").rpartition("/")[2])
        return [self._names[last]] if last in self._names else []


def look_at_table(
    file: Path, photos: SomePhotos, said: Mapping[str, str] | None = None
) -> PhotoTable | str:
    """Find the columns of a table.

    Args:
        file: CSV or Parquet.
        photos: The photos that it may name.
        said: Columns that are known, ``{"label": "species"}``; the label may be elsewhere.

    Returns:
        The columns; or, in words, why it is no table of photos.
    """
    try:
        table = load_table(file, _OURS, beginning=True)
    except DataError as error:
        return str(error)
    have = [str(column) for column in table]
    said = said or {}
    path = said.get("path") or ("path" if "path" in have else path_column(table, photos))
    if path is None:
        return f"no column of '{file.name}' names photos (it has: {', '.join(have)})"
    columns = {"path": path, **split_column(table), **said}
    if "label" in columns:
        return PhotoTable(columns, "")
    label = "label" if "label" in have else label_column(table, columns.values())
    if label is not None:
        return PhotoTable({**columns, "label": label}, "")
    others = [column for column in have if column not in columns.values()]
    more = ", ..." if len(others) > _SHOWN else ""
    question = f"which column is the label ({', '.join(others[:_SHOWN])}{more})"
    return PhotoTable({**columns, "label": "COLUMN"}, question)
