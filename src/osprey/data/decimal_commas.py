"""Numbers with a comma before their decimals, as half of Europe's spreadsheets save them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from osprey.data.notices import Guess

_WHOLE = r"[+-]?\d+"
_NUMBER = rf"{_WHOLE}(?:,\d+)?"
_THOUSANDS = r"[+-]?[1-9]\d{0,2}(?:,\d{3})+"  # 1,234 may be that as well


def with_points(
    table: pd.DataFrame, columns: Iterable[str], file: Path, notices: list[str]
) -> pd.DataFrame:
    """The table with points for decimal commas, in columns that hold nothing but such numbers.

    A column of whole numbers and of some that may have a comma between thousands stays as it is.

    Args:
        table: Cells as text.
        columns: That hold numbers; those that are not there are passed over.
        file: Of the table, for the line.
        notices: A line is appended if there are any.
    """
    changed = {}
    for name in columns:
        if name not in table or pd.api.types.is_numeric_dtype(table[name]):
            continue
        cells = table[name].fillna("").astype(str).str.strip()
        filled = cells[cells != ""]
        decimal = filled.str.contains(",") & ~filled.str.fullmatch(_THOUSANDS)
        if decimal.any() and filled.str.fullmatch(_NUMBER).all():
            changed[name] = cells.str.replace(",", ".")
    if changed:
        shown = ", ".join(f"'{name}'" for name in changed)
        notices.append(Guess(f"'{file}': commas before decimals in {shown}"))
    return table.assign(**changed)
