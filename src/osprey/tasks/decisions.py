"""The edited table of suspects, and what a person's decisions come to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from osprey.data.manifest import Manifest
from osprey.data.tables import load_table
from osprey.errors import DataError, nearest

DECISION = "decision"  # of a manifest, too: what a person has decided is not asked again
KEEP, DROP = "keep", "drop"


@dataclass(frozen=True)
class Decided:
    """A manifest after the decisions.

    Attributes:
        manifest: The samples, with a column ``decision``.
        counts: How many suspects are ``changed``, ``dropped``, ``kept`` and ``open``.
        names: Classes that were decided for.
    """

    manifest: Manifest
    counts: Counter[str]
    names: Sequence[str]


def read_decisions(file: Path, columns: Sequence[str]) -> pd.DataFrame:
    """Read an edited table, all columns as text.

    Args:
        file: The table.
        columns: Those that are needed, beside ``decision``.

    Raises:
        DataError: A column is missing.
    """
    table = load_table(file)
    for column in (*columns, DECISION):
        if column not in table.columns:
            hint = nearest(column, map(str, table.columns))
            raise DataError(f"--decisions: '{file}' has no column '{column}'{hint}")
    return table.assign(**{DECISION: table[DECISION].str.strip()})


def refuse_twice(file: Path, paths: pd.Series[str]) -> None:
    """Refuse several rows of one name.

    Raises:
        DataError: There are.
    """
    twice = paths[paths.duplicated()]
    if len(twice):
        raise DataError(f"--decisions: '{file}' has several rows for '{twice.iloc[0]}': leave one")


def of_another_run(file: Path, run: Path, path: str, why: str = "") -> DataError:
    """The error of a table that does not fit the run.

    Args:
        file: The table.
        run: The run's folder.
        path: The first photo that does not fit.
        why: What does not; empty: the run does not have the photo.
    """
    why = why or f"'{path}' is not a photo of '{run}'"
    return DataError(f"--decisions: '{file}' is of another run: {why}")


def earlier_decisions(manifest: Manifest) -> pd.Series[str]:
    """What was decided about each photo before."""
    rows = manifest.table
    if DECISION not in rows:
        return pd.Series("", index=rows.index)
    return rows[DECISION].fillna("")
