"""Which columns of a Hugging Face table hold the photo, its class or its boxes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
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
        objects: The objects'; empty where photos have a class, or boxes in columns of their own.
        box: The boxes, within ``objects`` or a column; empty where photos have a class.
        category: The boxes' classes, beside them.
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
    asked = wanted.get("label", "label")
    objects = [name for name in names if isinstance(sample[name], Mapping | list)]
    for name in objects if asked == "label" else [n for n in objects if n == asked]:
        found = _objects(features.get(name), sample[name])
        if found is not None:
            return Columns(photo, objects=name, box=found[0], category=found[1], names=found[2])
    beside = _side_by_side(sample) if asked == "label" else None
    if beside is not None:
        box, category = beside
        return Columns(photo, box=box, category=category, names=_names(features.get(category)))
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


def named_in(columns: Columns, features: Mapping[str, Any]) -> Columns:
    """The columns with the class names of one part's own types; unchanged where it has none."""
    if columns.objects:
        inner = _inner(features.get(columns.objects))
        names = _names(inner.get(columns.category)) if isinstance(inner, Mapping) else ()
    else:
        names = _names(features.get(columns.label or columns.category))
    return replace(columns, names=names) if names else columns


def _side_by_side(sample: Mapping[str, Any]) -> tuple[str, str] | None:
    """The columns of lists of boxes and of their classes; None if there are none."""
    lists = [name for name, value in sample.items() if isinstance(value, list) and value]
    boxes = [name for name in lists if name.lower() in _BOXES]
    box = next((name for name in boxes if isinstance(sample[name][0], list)), None)
    category = next((name for name in _CATEGORIES if name in lists), None)
    return None if box is None or category is None else (box, category)


def _inner(feature: Any) -> Any:
    """The type of what a list of lists holds."""
    while isinstance(feature, list) or (isinstance(feature, Mapping) and "feature" in feature):
        feature = feature[0] if isinstance(feature, list) else feature["feature"]
    return feature


def _objects(feature: Any, value: Any) -> tuple[str, str, tuple[str, ...]] | None:
    """Keys of boxes and classes in a column of objects, and the class names; None if it is none."""
    first = value[0] if isinstance(value, list) and value else value
    inner = _inner(feature)
    keys = list(first) if isinstance(first, Mapping) else []
    if not keys and isinstance(inner, Mapping):
        keys = [key for key in inner if key != "_type"]
    box = next((key for key in keys if key.lower() in _BOXES), None)
    category = next((key for key in _CATEGORIES if key in keys), None)
    if box is None or category is None:
        return None
    names = _names(inner.get(category)) if isinstance(inner, Mapping) else ()
    return box, category, names
