"""``data.missing``: what is named and is not there."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from osprey.data.manifest import Manifest
from osprey.errors import DataError
from osprey.system.console import counted

SKIP = "skip"


def skip_hint(missing: int, count: int) -> str:
    """The setting that leaves out what is missing; "" where all of it is."""
    return " (data.missing=skip leaves them out)" if missing < count else ""


def skipped_line(missing: list[str], what: str = "photo") -> str:
    """Says what is left out because it is not there."""
    some = counted(len(missing), what)
    return f"left out, not there (data.missing=skip): {some} such as '{missing[0]}'"


def skip_missing(
    names: list[str],
    count: int,
    setting: str | None,
    where: str,
    root: Path,
    notices: list[str],
) -> None:
    """Say which photos are left out because they are not there, or refuse the set.

    Args:
        names: Of the photos that are named and are not there.
        count: Of all that are named.
        setting: ``data.missing``; None where the command has no such setting.
        where: Start of the error: what names the first of them.
        root: Where they were looked for.
        notices: A line is appended where they may be left out.

    Raises:
        DataError: They may not, or all are missing.
    """
    if not names:
        return
    if setting == SKIP and len(names) < count:
        notices.append(skipped_line(names))
        return
    raise DataError(
        f"{where}there is no photo {names[0]!r} under '{root}' "
        f"({len(names)} of {count} are missing); is data.root right?"
        + ("" if setting is None else skip_hint(len(names), count))
    )


def without_blank(manifest: Manifest, column: str, notices: list[str]) -> Manifest:
    """The samples whose cell of a column says something, unless none does; others are told."""
    blank = manifest.table[column].fillna("").astype(str) == ""
    if not blank.any() or blank.all():
        return manifest
    count, example = counted(int(blank.sum()), "photo"), manifest.table["path"][blank].iloc[0]
    notices.append(f"left out, without '{column}' (data.missing=skip): {count} such as '{example}'")
    return manifest.where(pd.Series(~blank))
