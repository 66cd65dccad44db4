"""Where a table and its folder of photos do not agree."""

from __future__ import annotations

from osprey.doctor.finding import Finding
from osprey.doctor.survey import Survey

_NAMED = 500  # paths that a finding holds
_OUT = "; fix=clean.csv writes a table without them"


def check_table(survey: Survey) -> list[Finding]:
    """Look for rows that training would stop at, and for photos that no row names."""
    left = survey.left_out
    found = [
        _finding(
            "missing_files",
            "rows whose photo is not there",
            left.missing,
            f"copy the photos to data.root, or take the rows out{_OUT}",
        ),
        _finding(
            "rows_without_label",
            "rows without a label",
            left.unlabelled,
            f"fill the labels in, or take the rows out{_OUT}",
        ),
        _finding(
            "rows_twice",
            "further rows of a photo that is listed already",
            left.twice,
            f"leave one row a photo; the first is looked at here{_OUT}",
        ),
        _finding(
            "unnamed_photos",
            "photos that the table does not name",
            left.unnamed,
            "add a row for each that should be learnt from; training leaves them out",
            grave=False,
        ),
    ]
    return [finding for finding in found if finding is not None]


def _finding(
    key: str, title: str, paths: list[str], advice: str, *, grave: bool = True
) -> Finding | None:
    if not paths:
        return None
    return Finding(
        key,
        title,
        len(paths),
        "row" if grave else "photo",
        advice,
        f"first '{paths[0]}'",
        grave=grave,
        rows=[("path",), *((path,) for path in paths[:_NAMED])],
    )
