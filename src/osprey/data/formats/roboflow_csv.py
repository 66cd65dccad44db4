"""Roboflow's and TensorFlow's CSV: ``filename, width, height, class, xmin, ymin, xmax, ymax``."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from osprey.data.decimal_commas import with_points
from osprey.data.formats.options import TRAINING, Options
from osprey.data.formats.table import Annotations, Collector
from osprey.data.formats.values import a_side, four_numbers
from osprey.data.manifest import SPLIT_NAMES
from osprey.data.tables import load_table
from osprey.errors import DataError

_NAME = "_annotations.csv"
_ENDS = ("xmin", "ymin", "xmax", "ymax")
COLUMNS = ("filename", "width", "height", "class", *_ENDS)


def read(path: Path, root: Path, options: Options = TRAINING) -> Annotations:
    """Read a table, or those of a folder, ``train/_annotations.csv`` and so on.

    Raises:
        DataError: One line with file and line number.
    """
    files = _files(path)
    if not files:
        how = options.hint("file", "TABLE.csv")
        raise DataError(f"no {_NAME} in '{path}' or in its folders: name the table with {how}")
    found = Collector(root, options, sources=files)
    for file in files:
        _table(found, file)
    return found.done()


def sniff(path: Path) -> str:
    """Why a path does not hold such a table; "" if it does."""
    files = _files(path)
    if not files:
        return f"no {_NAME} in it" if path.is_dir() else "no CSV file"
    columns = load_table(files[0], COLUMNS, beginning=True)
    missing = [name for name in COLUMNS if name not in columns]
    return f"no column '{missing[0]}'" if missing else ""


def _files(path: Path) -> list[Path]:
    if path.is_dir():
        return [*sorted(path.glob(_NAME)), *sorted(path.glob(f"*/{_NAME}"))]
    return [path] if path.suffix.lower() == ".csv" else []


def _table(found: Collector, file: Path) -> None:
    table = load_table(file, COLUMNS, found.notices)
    missing = [name for name in COLUMNS if name not in table]
    if missing:
        have = ", ".join(map(str, table.columns))
        raise DataError(f"'{file}' has no column '{missing[0]}' (it has: {have})")
    table = with_points(table, _ENDS, file, found.notices)
    split = SPLIT_NAMES.get(file.parent.name.lower(), "")
    rows: dict[str, int] = {}
    for line, record in enumerate(table.to_dict("records"), start=2):
        where = f"'{file}' line {line}"
        name = str(record["filename"]).strip()
        if not name:
            raise DataError(f"{where}: no filename")
        if name not in rows:
            sides = [a_side(record[side]) for side in ("width", "height")]
            if None in sides:
                raise DataError(f"{where}: width or height makes no sense")
            beside = file.parent / name
            if beside.is_relative_to(found.root) and beside.is_file():
                name_there = beside.relative_to(found.root).as_posix()
            else:
                name_there = name
            said = {"split": split} if split else {}
            rows[name] = found.image(name_there, sides[0] or 0, sides[1] or 0, **said)
        ends = [record[key] for key in _ENDS]
        if str(record["class"]).strip():
            x, y, x2, y2 = four_numbers(ends, where)
            found.box(rows[name], str(record["class"]), (x, y, x2 - x, y2 - y))
        elif any(str(end).strip() for end in ends):
            raise DataError(f"{where}: a box without a class; leave out all five for none")


def write(annotations: Annotations, path: Path, root: Path) -> None:
    """Write one table; a photo without boxes has a row without a class.

    Args:
        annotations: With every photo's size.
        path: The file to write.
        root: Not used.
    """
    rows = []
    for record, boxes in annotations.records():
        start = (record["file"], record["width"], record["height"])
        for box in boxes:
            ends = (box.x, box.y, box.x + box.w, box.y + box.h)
            rows.append((*start, box.label, *(round(value, 4) for value in ends)))
        if not boxes:
            rows.append((*start, "", "", "", "", ""))
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    table.to_csv(path, index=False, lineterminator="\n")
