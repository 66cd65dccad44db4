"""Which columns of a Hugging Face table hold the photo, its class or its boxes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from osprey.errors import DataError, nearest

_PHOTOS = ("image", "img", "photo", "picture")
_LABELS = ("label", "labels", "class", "category", "species", "target")
_BOXES = ("bbox", "bboxes", "boxes", "box")
_CATEGORIES = ("category", "categories", "category_id", "label", "labels", "class", "name")


@dataclass(frozen=True)
class Columns:
    """The columns of a set.

    Attributes:
        photo: The photo's.
        label: Its class's; empty where photos have boxes.
        objects: Their boxes'; empty where photos have a class.
        box: Within ``objects``, the boxes.
        category: Within ``objects``, their classes.
        names: Class names by number; empty where the cells hold names.
    """

    photo: str
    label: str = ""
    objects: str = ""
    box: str = ""
    category: str = ""
    names: tuple[str, ...] = ()


def columns_of(
    features: Mapping[str, Any], sample: Mapping[str, Any], wanted: Mapping[str, str], where: str
) -> Columns:
    """Find the columns by their types, or else by their names.

    Args:
        features: Each column's type as ``datasets`` writes it; empty where that is not known.
        sample: A first row.
        wanted: ``data.columns``: what the user calls ``path`` and ``label``.
        where: Name of the set in errors.

    Returns:
        The columns.

    Raises:
        DataError: There is none, or it could be several.
    """
    names = list(sample)
    photos = [name for name in names if _kind(features.get(name)) == "Image"]
    photos = photos or [name for name in names if _is_photo(sample[name])]
    photo = _one("path", wanted, photos, names, _PHOTOS, f"{where}: no column holds photos")
    asked = wanted.get("label", "label") != "label"
    objects = [name for name in names if isinstance(sample[name], Mapping | list)]
    for name in [] if asked else objects:
        found = _objects(name, features.get(name), sample[name])
        if found is not None:
            return Columns(photo, objects=name, box=found[0], category=found[1], names=found[2])
    labels = [name for name in names if _kind(features.get(name)) == "ClassLabel"]
    labels = labels or [name for name in names if name.lower() in _LABELS]
    label = _one("label", wanted, labels, names, _LABELS, f"{where}: no column holds classes")
    return Columns(photo, label=label, names=_names(features.get(label)))


def _one(
    ours: str,
    wanted: Mapping[str, str],
    found: Sequence[str],
    names: Sequence[str],
    usual: Sequence[str],
    none: str,
) -> str:
    """The column of a meaning."""
    theirs = wanted.get(ours, ours)
    if theirs in names and (theirs != ours or theirs in found):
        return theirs
    if theirs != ours:
        hint = nearest(theirs, names)
        raise DataError(f"data.columns.{ours}: there is no column '{theirs}'{hint}")
    if len(found) == 1:
        return found[0]
    known = [name for name in found if name.lower() in usual]
    if len(known) == 1:
        return known[0]
    if not found:
        have = ", ".join(names)
        raise DataError(f"{none} (it has: {have}): name it with data.columns.{ours}=COLUMN")
    raise DataError(
        f"{none.partition(':')[0]}: {' and '.join(found)} may be meant: choose with "
        f"data.columns.{ours}={found[0]}"
    )


def _kind(feature: Any) -> str:
    return str(feature.get("_type", "")) if isinstance(feature, Mapping) else ""


def _is_photo(value: Any) -> bool:
    if isinstance(value, Mapping):
        return set(value) <= {"bytes", "path"} and bool(value)
    return isinstance(value, bytes)


def _names(feature: Any) -> tuple[str, ...]:
    """The class names of a type, however deep they lie in it."""
    if isinstance(feature, list):
        return _names(feature[0]) if feature else ()
    if not isinstance(feature, Mapping):
        return ()
    if _kind(feature) == "ClassLabel":
        return tuple(str(name) for name in feature.get("names") or ())
    return _names(feature.get("feature"))


def _objects(name: str, feature: Any, value: Any) -> tuple[str, str, tuple[str, ...]] | None:
    """Keys of boxes and classes in a column of objects, and the class names; None if it is none."""
    first = value[0] if isinstance(value, list) and value else value
    inner = feature
    while isinstance(inner, list) or (isinstance(inner, Mapping) and "feature" in inner):
        inner = inner[0] if isinstance(inner, list) else inner["feature"]
    keys = list(first) if isinstance(first, Mapping) else []
    if not keys and isinstance(inner, Mapping):
        keys = [key for key in inner if key != "_type"]
    box = next((key for key in keys if key.lower() in _BOXES), None)
    category = next((key for key in _CATEGORIES if key in keys), None)
    if box is None or category is None:
        return None
    names = _names(inner.get(category)) if isinstance(inner, Mapping) else ()
    return box, category, names


def objects_of(columns: Columns, value: Any) -> list[tuple[Any, list[float]]]:
    """Class and box of each object of a cell, as they stand there."""
    if value is None:
        return []
    if isinstance(value, Mapping):
        value = [
            {columns.category: category, columns.box: box}
            for category, box in zip(
                value[columns.category] or (), value[columns.box] or (), strict=True
            )
        ]
    pairs = ((one[columns.category], one[columns.box]) for one in value)
    return [(category, [float(v) for v in box]) for category, box in pairs]


def class_name(columns: Columns, value: Any, where: str) -> str | None:
    """A cell's class; None where it has none, as the cells of many test sets.

    Raises:
        DataError: It is a number beyond the names.
    """
    if value is None or value == "":
        return None
    if not columns.names or isinstance(value, str):
        return str(value)
    if value == -1:
        return None
    if not 0 <= int(value) < len(columns.names):
        count = len(columns.names)
        raise DataError(f"{where}: class {value}, and the set has {count}, numbered from 0")
    return columns.names[int(value)]
