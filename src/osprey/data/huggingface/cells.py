"""What the cells of a Hugging Face table say: a photo's file, its class, its boxes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from osprey.data.formats.values import a_number
from osprey.data.huggingface.columns import Columns
from osprey.data.huggingface.sources import Part
from osprey.errors import DataError

Quad = tuple[float, float, float, float]


def photo_bytes(value: Any, part: Part) -> bytes | None:
    """The file of a cell; None where there is none.

    Raises:
        DataError: It names a file outside of the set's folder, or one that is not there.
    """
    if isinstance(value, bytes):
        return value
    if not isinstance(value, dict):
        return None
    if value.get("bytes") is not None:
        return bytes(value["bytes"])
    if not value.get("path"):
        return None
    file = part.root / str(value["path"])
    if part.inside and not file.resolve().is_relative_to(part.root.resolve()):
        raise DataError(f"a photo's path '{value['path']}' leads out of '{part.root}'")
    try:
        return file.read_bytes()
    except OSError as error:
        raise DataError(
            f"the photo '{file}' cannot be read ({error.strerror}): the Parquet files have its "
            "name without its content"
        ) from None


def objects_of(
    columns: Columns, row: Mapping[str, Any], where: str
) -> list[tuple[Any, Quad | None]]:
    """Class and box of each object of a row, as they stand there; None where it has no box.

    Args:
        columns: Which columns they are in.
        row: The row.
        where: Name of the set in errors.

    Raises:
        DataError: A box is not four numbers, or has no class.
    """
    value = row[columns.objects] if columns.objects else row
    if value is None:
        return []
    if isinstance(value, Mapping):
        boxes, categories = value[columns.box] or (), value[columns.category] or ()
        if len(boxes) != len(categories):
            raise DataError(
                f"{where}: a photo with {len(boxes)} boxes and {len(categories)} classes"
            )
        pairs = list(zip(categories, boxes, strict=True))
    else:
        pairs = [(one.get(columns.category), one.get(columns.box)) for one in value if one]
    return [(category, None if box is None else _quad(box, where)) for category, box in pairs]


def _quad(box: Any, where: str) -> Quad:
    numbers = [a_number(value) for value in box] if isinstance(box, list) else []
    known = [number for number in numbers if number is not None]
    if len(known) != 4 or len(numbers) != 4:
        raise DataError(f"{where}: the box {box} is not four numbers")
    return known[0], known[1], known[2], known[3]


def class_name(columns: Columns, value: Any, where: str) -> str | None:
    """A cell's class; None where it has none, as the cells of many test sets.

    Raises:
        DataError: It is a number beyond the names, or no class at all.
    """
    if value is None or value == "":
        return None
    if isinstance(value, Mapping | list | bytes):
        name = columns.label or columns.category
        raise DataError(
            f"{where}: column '{name}' holds no classes: data.columns.label=COLUMN names another"
        )
    if not columns.names or isinstance(value, str):
        return str(value)
    if value == -1:
        return None
    if not 0 <= int(value) < len(columns.names):
        count = len(columns.names)
        raise DataError(f"{where}: class {value}, and the set has {count}, numbered from 0")
    return columns.names[int(value)]
