"""A table with one row a box: ``path, label, x, y, w, h``, pixels from the top-left corner."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from osprey.data.decimal_commas import with_points
from osprey.data.formats.options import TRAINING, Options
from osprey.data.formats.table import MARKS, Annotations, BoxRow, Collector
from osprey.data.formats.values import a_flag, a_ranking, a_score, four_numbers
from osprey.data.tables import load_table
from osprey.errors import DataError, nearest

_SIDES = ("x", "y", "w", "h")
NEEDED = ("path", "label", *_SIDES)
_OF_A_BOX = ("label", *_SIDES, "score", "classifications", *MARKS)


def read(
    path: Path,
    root: Path,
    options: Options = TRAINING,
    columns: Mapping[str, str] | None = None,
) -> Annotations:
    """Read a CSV or Parquet table; a row without label and box is a photo without objects.

    Args:
        path: The table. Besides `NEEDED` it may have ``score``, ``classifications`` (JSON),
            ``width``, ``height`` and any columns about the photo, whose first row counts.
        root: Folder of the photos.
        options: How to read.
        columns: Renaming, ``{our name: the table's name}``.

    Returns:
        The annotations.

    Raises:
        DataError: One line with file and line number.
    """
    if path.is_dir():
        how = options.hint("file", "TABLE")
        raise DataError(f"'{path}' is a folder: name the CSV or Parquet table, {how}")
    found = Collector(root, options, sources=[path])
    names = [*NEEDED, *_OF_A_BOX, "width", "height", "split", *(columns or {}).values()]
    table = _renamed(load_table(path, names, found.notices), path, columns or {})
    table = with_points(table, (*_SIDES, "score", "width", "height"), path, found.notices)
    rows: dict[str, int] = {}
    records = table.astype(object).where(table.notna(), "").to_dict("records")
    for line, record in enumerate(records, start=2):  # the first names the columns
        where = f"'{path}' line {line}"
        file = str(record["path"])
        if not file.strip():
            raise DataError(f"{where}: no path")
        if file not in rows:
            said = {str(k): _told(v) for k, v in record.items() if k not in _OF_A_BOX}
            rows[file] = _image(found, file, said, where)
        _take(found, rows[file], record, where)
    return found.done()


def _told(value: Any) -> Any:
    """A cell; None for an empty one, which a 0 is not."""
    return None if isinstance(value, str) and not value else value


def _renamed(table: pd.DataFrame, path: Path, columns: Mapping[str, str]) -> pd.DataFrame:
    """The table with its columns called as here."""
    names = {ours: columns.get(ours, ours) for ours in [*NEEDED, *columns]}
    wanted = {o: t for o, t in names.items() if o in NEEDED or o != t}
    lost = {ours: theirs for ours, theirs in wanted.items() if theirs not in table}
    if lost:
        have = list(map(str, table.columns))
        what = "column" if len(lost) == 1 else "columns"
        hint = next(filter(None, (nearest(word, have) for word in lost.values())), "")
        raise DataError(
            f"'{path}' has no {what} {', '.join(map(repr, lost.values()))}{hint} "
            f"(it has: {', '.join(have)}); rename it, or for training name yours with "
            f"{' '.join(f'data.columns.{ours}=COLUMN' for ours in lost)}"
        )
    theirs_only = [theirs for ours, theirs in wanted.items() if theirs != ours]
    taken = {ours: table[theirs] for ours, theirs in wanted.items()}
    return table.drop(columns=theirs_only).assign(**taken)


def _image(found: Collector, file: str, said: dict[str, Any], where: str) -> int:
    sides = [said.pop(side, None) or 0 for side in ("width", "height")]
    width, height, _, _ = four_numbers([*sides, 0, 0], where)
    del said["path"]
    return found.image(file, int(width), int(height), **said)


def _take(found: Collector, row: int, record: Mapping[Any, Any], where: str) -> None:
    label = str(record["label"]).strip()
    values = [record[key] for key in _SIDES]
    given = [value for value in values if str(value).strip()]
    if not label and not given:
        return
    if not label or len(given) < 4:
        raise DataError(f"{where}: a box needs label, x, y, w and h; leave out all five for none")
    score, names = record.get("score", ""), record.get("classifications", "")
    number = math.nan if score == "" else a_score(score, where)
    if isinstance(names, str):  # else a column of lists in Parquet
        try:
            names = json.loads(names or "null")
        except (ValueError, RecursionError):
            names = 0  # reported as no pairs
    pairs = a_ranking(names, f"{where}: classifications", {})
    marks = {mark: int(a_flag(record[mark])) for mark in MARKS if str(record.get(mark, "")) != ""}
    found.box(row, label, four_numbers(values, where), number, pairs, marks)


def sniff(path: Path) -> str:
    """Why a path is no table of boxes; "" if it is one."""
    if path.is_dir():
        return "a folder, not a CSV or Parquet file"
    if path.suffix.lower() not in (".csv", ".parquet"):
        return "no CSV or Parquet file"
    columns = load_table(path, NEEDED, beginning=True)
    missing = [name for name in NEEDED if name not in columns]
    return f"no column '{missing[0]}'" if missing else ""


def write(annotations: Annotations, path: Path, root: Path) -> None:
    """Write one row per box as CSV, or as Parquet by the file's suffix.

    Args:
        annotations: The annotations; boxes in pixels, rounded to four decimals.
        path: The file to write.
        root: Not used.

    Raises:
        DataError: Parquet is asked for and pyarrow is not installed.
    """
    rows: list[dict[str, Any]] = []
    for record, boxes in annotations.records():
        said = {key: value for key, value in record.items() if key not in ("file", "coco")}
        cells = [_cells(box) for box in boxes] or [dict.fromkeys(_OF_A_BOX)]
        rows.extend({"path": record["file"], **cell, **said} for cell in cells)
    table = pd.DataFrame(rows)
    empty = [c for c in table if c not in NEEDED and table[c].isna().all()]
    table = table.drop(columns=empty)
    if path.suffix.lower() == ".parquet":
        try:
            table.to_parquet(path, index=False)
        except ImportError:
            raise DataError(
                f"writing '{path.name}' needs pyarrow: pip install 'osprey-vision[parquet]'"
            ) from None
    else:
        table.to_csv(path, index=False, lineterminator="\n")


def _cells(box: BoxRow) -> dict[str, Any]:
    ranked = box.classifications
    return {
        "label": box.label,
        **{key: round(getattr(box, key), 4) for key in _SIDES},
        "score": None if math.isnan(box.score) else box.score,
        "classifications": None if ranked is None else json.dumps(ranked, ensure_ascii=False),
        **{mark: (box.extra or {}).get(mark) for mark in MARKS},
    }
