"""Tables as people save them: any separator and encoding, and ends of lines that are too long."""

from __future__ import annotations

import csv
import io
import re
import warnings
from collections.abc import Iterable, Sequence
from itertools import islice
from pathlib import Path

import pandas as pd

from osprey.data.notices import Guess
from osprey.data.text_encoding import guess_encoding, packed_as
from osprey.errors import DataError

_SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
_FIRST_LINE = 1 << 20  # bytes within which it must end
_LOOKED_AT = 50  # lines by which the separator is known
_ODD = re.compile(r"[^\s,;|]{,20}[^\x00-\x7f][^\s,;|]{,20}")  # a word with another letter
_ENCODINGS = {"cp1252": "Windows-1252", "gb18030": "GBK", "latin-1": "Latin-1"}


def load_table(
    file: Path,
    wanted: Iterable[str] = (),
    notices: list[str] | None = None,
    *,
    open_last: bool = False,
    beginning: bool = False,
) -> pd.DataFrame:
    """Read a CSV file, every cell as text, or a Parquet file.

    Args:
        file: The table. The separator and the encoding of CSV are found out.
        wanted: Names of columns; one that is there but for its capitals gets this name.
        notices: A line is appended if anything had to be guessed.
        open_last: Cells beyond the last column belong to its cell.
        beginning: The lines of the first MiB are enough, to see what it is.

    Returns:
        The table, without blanks round the names of its columns.

    Raises:
        DataError: It is empty or malformed, or Parquet without pyarrow.
    """
    said: list[str] = []
    if file.suffix.lower() == ".parquet":
        table = _parquet(file)
    else:
        text = _text(file, said, beginning=beginning)
        separator = _separator(text)
        if separator != ",":
            said.append(f"{_SEPARATORS[separator]} between its cells")
        table = _csv(file, text, separator, said, open_last=open_last)
    table = _named(table, file, wanted, said)
    if said and notices is not None:
        notices.append(Guess(f"'{file}' read with {', '.join(said)}"))
    return table


def _parquet(file: Path) -> pd.DataFrame:
    try:
        return pd.read_parquet(file)
    except ImportError:
        raise DataError(
            f"reading '{file}' needs pyarrow: pip install 'osprey-vision[parquet]'"
        ) from None
    except Exception as error:
        raise DataError(f"'{file}' is not a Parquet file ({error})") from None


def _text(file: Path, said: list[str], *, beginning: bool) -> str:
    try:
        with file.open("rb") as content:
            data = content.read(_FIRST_LINE)
            if len(data) == _FIRST_LINE and b"\n" not in data and b"\r" not in data:
                raise DataError(f"'{file}' cannot be read as CSV: no line ends in its first MiB")
            if beginning and len(data) == _FIRST_LINE and b"\0" not in data and b"\n" in data:
                data = data[: data.rindex(b"\n") + 1]
            else:
                data += content.read()
    except OSError as error:
        raise DataError(f"'{file}' cannot be read ({error.strerror})") from None
    if kind := packed_as(data):
        raise DataError(f"'{file}' is packed ({kind}): unpack it, or save it as CSV")
    name = guess_encoding(data)
    try:
        text = data.decode(name)
    except ValueError as error:
        raise DataError(f"'{file}' cannot be read as CSV: {error}") from None
    if "\0" in text:
        raise DataError(f"'{file}' cannot be read as CSV: it is no text")
    if text[:4].lower() == "sep=":  # a line for Excel alone
        text = text.partition("\n")[2]
    if not text.strip():
        raise DataError(f"'{file}' is empty")
    if name in _ENCODINGS:
        odd = _ODD.search(text)
        shown = f" ('{odd[0]}')" if odd else ""
        said.append(f"the encoding {_ENCODINGS[name]}, as it is no UTF-8{shown}")
    elif name.startswith("utf-16"):
        said.append("the encoding UTF-16")
    return text


def _separator(text: str) -> str:
    """What separates the cells: what gives most lines as many as the first has."""
    lines = list(
        islice(filter(str.strip, io.StringIO(text[:_FIRST_LINE], newline=None)), _LOOKED_AT)
    )

    def fits(separator: str) -> tuple[float, int]:
        try:
            rows = list(csv.reader(lines, delimiter=separator))
        except csv.Error:
            return 0, 0
        width = len(rows[0])
        full = sum(_filled(row) <= width <= len(row) for row in rows)
        return (full / len(rows), width) if width > 1 else (0, 0)

    return max(_SEPARATORS, key=fits)


def _filled(row: Sequence[str]) -> int:
    """Number of cells but for empty ones at the end."""
    return next((n for n in range(len(row), 0, -1) if row[n - 1].strip()), 0)


def _csv(
    file: Path, text: str, separator: str, said: list[str], *, open_last: bool
) -> pd.DataFrame:
    _refuse_twins(file, text, separator)  # pandas would number them
    return _without_blank(_parsed(file, text, separator, said, open_last=open_last), said)


def _parsed(
    file: Path, text: str, separator: str, said: list[str], *, open_last: bool
) -> pd.DataFrame:
    first = text.lstrip().partition("\n")[0]
    spaced = f"{separator} " in first
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)
            return pd.read_csv(
                io.StringIO(text),
                sep=separator,
                dtype=str,
                keep_default_na=False,
                index_col=False,
                skipinitialspace=spaced,
            )
    except (pd.errors.ParserError, pd.errors.ParserWarning):
        if open_last:
            return _ragged(file, text, separator, said, spaced=spaced, open_last=True)
        said.append("empty cells at the ends of lines left out")
        return _ragged(file, text, separator, said, spaced=spaced)
    except pd.errors.EmptyDataError:
        raise DataError(f"'{file}' is empty") from None


def _refuse_twins(file: Path, text: str, separator: str) -> None:
    """Refuse a table with two columns of one name."""
    try:
        row = next(
            filter(any, csv.reader(io.StringIO(text, newline=None), delimiter=separator)), []
        )
    except csv.Error:
        return  # which the reading tells of
    _refuse_twice(file, [name.strip() for name in row if name.strip()])


def _refuse_twice(file: Path, names: Sequence[str]) -> None:
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise DataError(f"'{file}' has two columns '{twice}'")


def _without_blank(table: pd.DataFrame, said: list[str]) -> pd.DataFrame:
    """The table without rows in which nothing stands, as spreadsheets leave them at the end."""
    if not len(table) or table.iloc[:, 0].str.strip().ne("").all():
        return table
    blank = table.apply(lambda column: column.str.strip().eq("")).all(axis=1)
    if blank.any():
        said.append(f"{int(blank.sum())} blank rows left out")
    filled: pd.DataFrame = table[~blank].reset_index(drop=True)
    return filled


def _ragged(
    file: Path,
    text: str,
    separator: str,
    said: list[str],
    *,
    spaced: bool,
    open_last: bool = False,
) -> pd.DataFrame:
    """A table whose lines differ in their numbers of cells.

    Raises:
        DataError: A line has more that are not empty than the first.
    """
    reader = csv.reader(
        io.StringIO(text, newline=None), delimiter=separator, skipinitialspace=spaced
    )
    rows: list[list[str]] = []
    names: list[str] = []
    joined = 0
    try:
        for row in reader:
            filled = _filled(row)
            if not names:
                names = row[:filled]
            elif filled > len(names) and open_last:
                joined += 1
                last = len(names) - 1
                rows.append([*row[:last], separator.join(row[last:filled])])
            elif filled > len(names):
                raise DataError(
                    f"'{file}' cannot be read as CSV: line {reader.line_num} has {filled} cells, "
                    f"its first line {len(names)}: put a cell with a separator in it in quotes, "
                    "or add data.open_last=true if it is the last"
                )
            elif row:
                rows.append([*row, *[""] * len(names)][: len(names)])
    except csv.Error as error:
        raise DataError(f"'{file}' cannot be read as CSV: {error}") from None
    if joined:
        said.append(f"commas in the last cell of {joined} lines")
    return pd.DataFrame(rows, columns=names, dtype=str)


def _named(table: pd.DataFrame, file: Path, wanted: Iterable[str], said: list[str]) -> pd.DataFrame:
    """The table with its columns' names stripped, and as they are wanted but for capitals."""
    table.columns = pd.Index([str(name).strip() for name in table.columns], dtype=object)
    have = list(table.columns)
    _refuse_twice(file, have)
    renamed = {}
    for name in dict.fromkeys(wanted):
        alike = [one for one in have if one.casefold() == name.casefold()]
        if name not in have and len(alike) == 1:
            renamed[alike[0]] = name
            said.append(f"its column '{alike[0]}' as '{name}'")
    return table.rename(columns=renamed)
