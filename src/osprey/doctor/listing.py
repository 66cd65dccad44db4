"""The findings as lines for a terminal, and as JSON."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from osprey.data.manifest import SPLITS
from osprey.doctor.finding import Finding
from osprey.doctor.fixing import Fixed
from osprey.doctor.survey import Survey
from osprey.system.console import counted

_WIDTH = 100  # of a line with its indent
_SETS = 500  # sets of photos that doctor.json holds of one finding


def summary(survey: Survey) -> str:
    """What was looked at, in one line."""
    counts = Counter(survey.splits.tolist())
    sizes = ", ".join(f"{split} {counts[split]}" for split in SPLITS if counts[split])
    how = "as given" if survey.given else "as training would cut them"
    classes = counted(len(survey.manifest.classes), "class")
    what = f"{counted(len(survey.paths), 'photo')} of {classes}"
    return f"{what}: {sizes} ({how})" if sizes else f"{what}, without a split"


def lines_of(survey: Survey, findings: Sequence[Finding]) -> Iterator[str]:
    """Lines for a terminal: what was looked at, and a table of what was found.

    Args:
        survey: What is known of the data set.
        findings: What was found.
    """
    yield f"data     {summary(survey)}"
    for notice in survey.notices:
        yield f"note     {notice}"
    if not findings:
        yield "doctor   nothing found"
        return
    width = max(len(_counted(finding)) for finding in findings)
    yield ""
    for finding in findings:
        mark = "!" if finding.grave else " "
        yield f"{mark} {_counted(finding):>{width}}  {finding.title}"
        for text in (finding.detail, f"-> {finding.advice}"):
            for line in textwrap.wrap(text, _WIDTH - width, break_on_hyphens=False):
                yield f"  {'':>{width}}  {line}"
    yield ""
    grave = sum(finding.grave for finding in findings)
    yield f"doctor   {counted(len(findings), 'finding')}, {grave} of them grave (!)"


def _counted(finding: Finding) -> str:
    return counted(finding.count, finding.unit)


def findings_json(
    survey: Survey, findings: Sequence[Finding], fixed: Fixed | None
) -> dict[str, Any]:
    """The content of doctor.json.

    Args:
        survey: What is known of the data set.
        findings: What was found.
        fixed: The fixed manifest, where one was asked for.
    """
    paths = survey.paths
    found: dict[str, Any] = {
        "root": str(survey.manifest.root),
        "photos": len(paths),
        "classes": survey.manifest.classes,
        "splits": {split: int((survey.splits == split).sum()) for split in SPLITS},
        "split_given": survey.given,
        "notices": survey.notices,
        "findings": [
            {
                "check": finding.key,
                "title": finding.title,
                "count": finding.count,
                "unit": finding.unit,
                "grave": finding.grave,
                "detail": finding.detail,
                "advice": finding.advice,
                "photos": [[paths[row] for row in rows] for rows in finding.sets[:_SETS]],
                "sets": len(finding.sets),
                "remarks": {paths[row]: text for row, text in finding.captions.items()},
                "table": [list(line) for line in finding.rows],
            }
            for finding in findings
        ],
    }
    if fixed is not None:
        moved = {
            path: {"from": one, "to": other, "why": why}
            for path, (one, other, why) in fixed.moved.items()
        }
        boxes = fixed.boxes.to_dict("records")
        found["fix"] = {"dropped": fixed.dropped, "moved": moved, "boxes": boxes}
    return found
