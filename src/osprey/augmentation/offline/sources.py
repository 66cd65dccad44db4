"""The photos to augment with labels or boxes, from a table or annotations of any known form."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

import pandas as pd

from osprey.data.class_names import KEEP, tidy_class_names
from osprey.data.formats import FORMS, box_table, read_annotations
from osprey.data.formats.registry import only_form
from osprey.data.formats.table import Annotations
from osprey.data.formats.to_manifest import to_manifest
from osprey.data.guess_columns import find_columns
from osprey.data.manifest import SPLIT_NAMES, Manifest, complete
from osprey.data.photo_paths import PhotoPaths
from osprey.data.tables import load_table
from osprey.errors import DataError, nearest
from osprey.system.console import counted
from osprey.system.paths import nearest_beside

_REMEDY = "write it in another form with 'osprey convert' first"
_BOX = {"x", "y", "w", "h"}
# Columns of a manifest that are Osprey's own; all others are the user's.
_OWN = ("path", "split", "label", "group", "weight", "width", "height", "boxes")


@dataclass(frozen=True)
class Sources:
    """The photos to augment.

    Attributes:
        manifest: One row a photo, paths below the input folder.
        further: Names of the label file's further columns.
        notices: Lines for the user.
        left_out: Photos of the folder that have no label.
    """

    manifest: Manifest
    further: list[str]
    notices: list[str]
    left_out: list[str]


def read_sources(
    root: Path, photos: Sequence[str], file: Path, columns: Mapping[str, str], *, leave_out: bool
) -> Sources:
    """Read the label file.

    Args:
        root: The input folder.
        photos: POSIX paths of all photos below it.
        file: A table of labels or boxes, or annotations in any form that is read for training.
        columns: The table's own names for ``path``, ``label``, ``split``, ``x`` and so on.
        leave_out: Go on without photos that have no label.

    Returns:
        The photos that have one.

    Raises:
        DataError: The file is missing, damaged, or names photos that are not there or twice; or a
            photo has no label.
    """
    if not file.exists():
        raise DataError(f"--label_file: there is no '{file}'{nearest_beside(file)}")
    notices: list[str] = []
    if file.suffix.lower() in FORMS["csv"].ending:
        manifest, blank = _of_table(root, PhotoPaths(root, photos), file, columns, notices)
    else:
        annotations = read_annotations(file, only_form(file, "--label_file", _REMEDY), root)
        notices.extend(annotations.notices)
        manifest, blank = to_manifest(annotations, root, str(file), notices), []
    manifest = tidy_class_names(_split_by_folder(manifest), KEEP, notices)
    known = set(manifest.table["path"])
    left_out = sorted({*blank, *(photo for photo in photos if photo not in known)})
    if left_out and not leave_out:
        raise DataError(
            f"--label_file: '{file}' has no label for {counted(len(left_out), 'photo')} below "
            f"'{root}', first '{left_out[0]}': add them, or --leave_out goes on without them"
        )
    if not len(manifest.table):
        raise DataError(f"--label_file: '{file}' labels no photo")
    further = [str(c) for c in manifest.table if c not in _OWN]
    return Sources(manifest, further, notices, left_out)


def _of_table(
    root: Path, names: PhotoPaths, file: Path, given: Mapping[str, str], notices: list[str]
) -> tuple[Manifest, list[str]]:
    """The photos of a table of labels or boxes, and those it has no label for."""
    source = f"'{file}'"
    table = load_table(file, notices=notices)
    if table.empty:
        raise DataError(f"--label_file: {source} has no rows")
    table = table.astype(object).where(table.notna(), "").astype(str)
    if {"boxes", "width", "height"} <= set(table) and "label" not in table:
        given = {"label": "boxes", **given}  # which say it
    found = find_columns(table, names, given, source)
    notices.append(
        "columns: " + ", ".join(f"{ours} is '{theirs}'" for ours, theirs in found.items())
    )
    if {*found, *table} >= _BOX:
        renamed = {ours: theirs for ours, theirs in found.items() if ours != theirs}
        boxes = box_table.read(file, root, columns=renamed)
        paths = _photos(boxes.images["file"].tolist(), names, root, source)
        mapped = replace(boxes, images=boxes.images.assign(file=paths))
        return _boxed(mapped, root, file, notices), []
    paths = _photos(table[found["path"]].tolist(), names, root, source)
    chosen = {ours: table[theirs] for ours, theirs in found.items()}
    theirs_only = [theirs for ours, theirs in found.items() if ours != theirs and ours != "label"]
    if found["label"] not in ("label", "boxes"):
        theirs_only.append(found["label"])
    table = table.drop(columns=theirs_only).assign(**chosen).assign(path=paths)
    if found["label"] == "boxes":
        table = table.drop(columns="label")
        return complete(table, root, source), []
    blank = table["label"].str.strip() == ""
    _refuse_twice(paths, source)
    blank_paths = table["path"][blank].tolist()
    return complete(table[~blank], root, source), blank_paths


def _boxed(annotations: Annotations, root: Path, file: Path, notices: list[str]) -> Manifest:
    _refuse_twice(annotations.images["file"].tolist(), f"'{file}'")
    return to_manifest(annotations, root, str(file), notices)


def _photos(cells: Sequence[str], names: PhotoPaths, root: Path, source: str) -> list[str]:
    """The photo that each cell means.

    Raises:
        DataError: There is none, or several.
    """
    found = [names.choices(cell.strip(), bare=True) for cell in cells]
    missing = [cell for cell, photos in zip(cells, found, strict=True) if not photos]
    if missing:
        raise DataError(
            f"--label_file: {source} names {counted(len(missing), 'photo')} that "
            f"{'is' if len(missing) == 1 else 'are'} not below '{root}', first '{missing[0]}'"
            f"{_nearest_photo(missing[0], names.photos or ())}"
        )
    for cell, photos in zip(cells, found, strict=True):
        if len(photos) > 1:
            raise DataError(
                f"--label_file: {source}: '{cell}' may be '{photos[0]}' or '{photos[1]}': write "
                f"paths from '{root}' on"
            )
    return [photos[0] for photos in found]


def _nearest_photo(cell: str, photos: Collection[str]) -> str:
    """The photo whose name is closest, with its folder; of very many none is looked for."""
    if len(photos) >= 5000:
        return ""
    places = {PurePosixPath(photo).name: photo for photo in photos}
    return nearest(PurePosixPath(cell).name, places, places.__getitem__)


def _refuse_twice(paths: Sequence[str], source: str) -> None:
    rows = pd.Series(list(paths))
    twice = rows[rows.duplicated()]
    if len(twice):
        raise DataError(
            f"--label_file: {source} has several rows for {counted(twice.nunique(), 'photo')}, "
            f"first '{twice.iloc[0]}': leave one row for each"
        )


def _split_by_folder(manifest: Manifest) -> Manifest:
    """Splits from folders called train, val and test, where the label file says none."""
    table = manifest.table
    if (table["split"] != "").any():
        return manifest
    tops = table["path"].str.partition("/")[0].str.lower()
    if not tops.isin(list(SPLIT_NAMES)).all():
        return manifest
    return replace(manifest, table=table.assign(split=tops.map(SPLIT_NAMES)))
