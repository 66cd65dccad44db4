"""The photos to look at of those that two classifiers answer otherwise."""

from __future__ import annotations

from typing import Any

import pandas as pd

from osprey.runs.folder import RunFolder
from osprey.tasks.classification.paired import changed_rows, shared_rows
from osprey.tasks.specs import ChangedGroup, ChangedPhoto

_EACH = 24


def changed_photos(first: RunFolder, second: RunFolder, split: str) -> list[ChangedGroup]:
    """Up to 24 photos of each way in which the answer changed, the surest wrong ones first.

    Raises:
        UserError: See `osprey.tasks.classification.paired.shared_rows`.
    """
    rows = changed_rows(shared_rows(first, second, split))
    before, now = (rows[f"predicted{side}"] == rows["label_a"] for side in ("_a", "_b"))
    kinds = (
        ("Right before, wrong now", before, "score_b"),
        ("Wrong before, right now", now, "score_a"),
        ("Both wrong, differently", ~before & ~now, "score_b"),
    )
    return [_group(title, rows[mine], score) for title, mine, score in kinds]


def _group(title: str, rows: pd.DataFrame, score: str) -> ChangedGroup:
    first = rows.sort_values(score, ascending=False, kind="stable").head(_EACH)
    photos = [
        ChangedPhoto(
            (str(row["path_a"]), str(row["path_b"])),
            (_answer(row, "_a"), _answer(row, "_b")),
            str(row["label_a"]),
        )
        for _, row in first.iterrows()
    ]
    return ChangedGroup(title, len(rows), photos)


def _answer(row: pd.Series[Any], side: str) -> tuple[str, bool | None]:
    said = str(row[f"predicted{side}"])
    return f"{said} {row[f'score{side}']:.1%}", said == row["label_a"]
