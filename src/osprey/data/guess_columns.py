"""Which column of a table names photos and which is the label, whatever they are called."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

import pandas as pd

from osprey.data.folders import is_photo_name
from osprey.data.manifest import SPLIT_NAMES
from osprey.data.photo_paths import PhotoPaths
from osprey.errors import DataError, nearest

# What people call a label, the most telling first; compared without case and marks between words.
_LABELS = (
    *("label", "labels", "class", "classname", "species", "category", "categoryname", "target"),
    *("taxon", "scientificname", "commonname", "tag", "breed", "type"),
)
_SPLITS = ("split", "subset", "set", "partition")
_NO_LABELS = {"x", "y", "w", "h", "width", "height", "score", "group", "weight"}
_LOOKED_AT = 500  # rows, spread over the table, by which a column is known


def find_columns(
    table: pd.DataFrame, names: PhotoPaths, given: Mapping[str, str], source: str
) -> dict[str, str]:
    """Find the columns of a table of photos.

    Args:
        table: Cells as text.
        names: The photos.
        given: Columns that the user named, ``{"label": "species"}``.
        source: Name of the table in errors.

    Returns:
        ``path``, ``label`` and, where there is one, ``split``: the table's own names.

    Raises:
        DataError: A named column is not there, or a column cannot be told.
    """
    have = [str(column) for column in table]
    for ours, theirs in given.items():
        if theirs not in have:
            hint = nearest(theirs, have) or f" (it has: {', '.join(have)})"
            raise DataError(f"--columns {ours}: {source} has no column '{theirs}'{hint}")
    found = dict(given)
    if "path" not in found:
        path = "path" if "path" in have else path_column(table, names)
        if path is None:
            raise DataError(
                f"--label_file: no column of {source} names photos below --input_folder (it has: "
                f"{', '.join(have)}); name the folder that its paths are relative to"
            )
        found["path"] = path
    if "split" not in found:
        found |= split_column(table)
    if "label" not in found:
        label = label_column(table, found.values())
        if label is None:
            raise DataError(
                f"--label_file: which column of {source} is the label? Add --columns label=COLUMN "
                f"(it has: {', '.join(have)})"
            )
        found["label"] = label
    return found


class Names(Protocol):
    """Finds the files that a name may mean, as `PhotoPaths`."""

    def choices(self, name: str, *, bare: bool = False) -> list[str]:
        """The files that a name may mean; ``bare``: it may lack its suffix."""
        ...


def path_column(table: pd.DataFrame, names: Names) -> str | None:
    """The column most of whose cells name photos, of several that with endings; None of none."""
    part = table.iloc[:: max(1, len(table) // _LOOKED_AT)]
    shares: dict[str, tuple[int, int]] = {}
    for column in table:
        cells = [str(cell).strip() for cell in part[column]]
        named = [cell for cell in cells if _names_photo(cell, names)]
        shares[str(column)] = len(named), sum(map(is_photo_name, named))
    best = max(shares, key=lambda column: shares[column], default=None)
    return best if best is not None and shares[best][0] else None


def _names_photo(cell: str, names: Names) -> bool:
    found = names.choices(cell, bare=True) if cell else []
    return any(is_photo_name(file) for file in found)


def split_column(table: pd.DataFrame) -> dict[str, str]:
    """``{"split": COLUMN}`` where a column is called so and holds splits' names alone."""
    have = [str(column) for column in table]
    split = next((c for c in _named(have, _SPLITS) if _are_splits(table[c])), None)
    return {"split": split} if split else {}


def label_column(table: pd.DataFrame, taken: Iterable[str]) -> str | None:
    """The column that is called like a label, or is the only other one; None where none is.

    Args:
        table: Cells as text.
        taken: Columns that are something else.
    """
    without = {*taken, *_NO_LABELS}
    others = [str(column) for column in table if str(column) not in without]
    called = _named(others, _LABELS)
    if called:
        return called[0]
    return others[0] if len(others) == 1 else None


def _named(columns: Iterable[str], wanted: Sequence[str]) -> list[str]:
    """Columns of these names, in the order of the names."""
    plain = {
        "".join(filter(str.isalnum, column.lower())): column for column in reversed([*columns])
    }
    return [plain[name] for name in wanted if name in plain]


def _are_splits(cells: pd.Series[str]) -> bool:
    words = {str(cell).strip().lower() for cell in cells.unique()}
    return bool(words - {""}) and words <= {*SPLIT_NAMES, ""}
