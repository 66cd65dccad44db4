"""The suspected labels as one HTML file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from osprey.commands.comparing.pictures import pictures_of
from osprey.config.schema import DataConfig
from osprey.errors import UnreadableImage
from osprey.reports.build import render, write_page
from osprey.runs.folder import RunFolder
from osprey.system.paths import home_path
from osprey.tasks.suspects import Suspect, Suspects

_PAGE = Path(__file__).with_name("page")
_PAIRS = 10  # of classes that are mixed up
_SHOWN = 200  # photos; the table has them all


def write_suspects(
    target: Path, run: RunFolder, data: DataConfig, found: Suspects, table: str
) -> None:
    """Write the page.

    Args:
        target: Its file.
        run: Whose labels they are.
        data: The run's, which says where its photos are and how deep ones are shown.
        found: The suspects.
        table: Name of their table, which the page says to edit.
    """
    shown = found.found[:_SHOWN]
    values = {
        "name": run.full_name.split("/")[0],
        "stamp": "labels",
        "run": str(run.path),
        "photos": found.photos,
        "count": len(found.found),
        "how": found.how,
        "doubt": found.doubt,
        "table": table,
        "decisions": found.decisions,
        "unit": found.unit,
        "outlines": any(each.panel().outlines for each in shown),
        "pairs": _pairs(found.found),
        "suspects": [_card(each, data) for each in shown],
    }
    write_page(render(_PAGE, values), target)


def _card(each: Suspect, data: DataConfig) -> dict[str, Any]:
    photo = home_path(data.root) / each.path
    try:
        (picture,) = pictures_of([photo], [each.panel()], [data.value_range])
    except UnreadableImage:
        picture = ""
    return {"path": each.path, "facts": each.facts(), "picture": picture}


def _pairs(found: Sequence[Suspect]) -> list[tuple[str, str, int]]:
    """How often each label is suspected to be something else, the most frequent first."""
    counts = Counter(each.pair() for each in found)
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return [(label, other, count) for (label, other), count in ordered[:_PAIRS]]
