"""``data.missing``: what is named and is not there."""

from __future__ import annotations

import pandas as pd

from osprey.data.manifest import Manifest
from osprey.system.console import counted

SKIP = "skip"


def skip_hint(missing: int, count: int) -> str:
    """The setting that leaves out what is missing; "" where all of it is."""
    return " (data.missing=skip leaves them out)" if missing < count else ""


def skipped_line(missing: list[str], what: str = "photo") -> str:
    """Says what is left out because it is not there."""
    some = counted(len(missing), what)
    return f"left out, not there (data.missing=skip): {some} such as '{missing[0]}'"


def without_blank(manifest: Manifest, column: str, notices: list[str]) -> Manifest:
    """The samples whose cell of a column says something, unless none does; others are told."""
    blank = manifest.table[column].fillna("").astype(str) == ""
    if not blank.any() or blank.all():
        return manifest
    count, example = counted(int(blank.sum()), "photo"), manifest.table["path"][blank].iloc[0]
    notices.append(f"left out, without '{column}' (data.missing=skip): {count} such as '{example}'")
    return manifest.where(pd.Series(~blank))
