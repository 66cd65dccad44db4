"""The findings as one HTML page, with pictures and, where features are known, a map."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from osprey.data.formats.mend import mended_line
from osprey.doctor.finding import Finding
from osprey.doctor.fixing import Fixed
from osprey.doctor.listing import summary
from osprey.doctor.survey import Survey
from osprey.errors import UnreadableImage
from osprey.imaging import fitted, read_image
from osprey.imaging.drawing import TRUE_BOX, outlined
from osprey.imaging.encode import jpeg_uri
from osprey.reports.build import render
from osprey.reports.photo_map import flat_map, map_payload, map_section, sheet_of

_PAGE = Path(__file__).with_name("page")
_SETS = 24  # sets of photos shown of one finding
_OF_A_SET = 6  # photos shown of one set
_ROWS = 100  # lines of a table
_SIDE = 220  # pixels of a picture's long side


def doctor_page(survey: Survey, findings: Sequence[Finding], fixed: Fixed | None) -> str:
    """The page.

    Args:
        survey: What is known of the data set.
        findings: What was found.
        fixed: The fixed manifest, where one was asked for.

    Returns:
        HTML without external resources.
    """
    pictures: dict[int, str] = {}
    root = survey.manifest.root
    values = {
        "name": root.resolve().name or "data",
        "stamp": "examined",
        "root": "" if str(root) == root.name else str(root),
        "summary": summary(survey),
        "notices": survey.notices,
        "findings": [_shown(survey, finding, pictures) for finding in findings],
        "grave": sum(finding.grave for finding in findings),
        "fix": None if fixed is None else _fix(fixed),
        "map": _map(survey),
    }
    return render(_PAGE, values)


def _shown(survey: Survey, finding: Finding, pictures: dict[int, str]) -> dict[str, Any]:
    paths, labels, splits = survey.paths, survey.labels, survey.splits
    sets = []
    for rows in finding.sets[:_SETS]:
        photos = [
            {
                "path": paths[row],
                "label": labels[row],
                "split": splits[row],
                "remark": finding.captions.get(row, ""),
                "picture": _picture(survey, row, pictures),
            }
            for row in rows[:_OF_A_SET]
        ]
        sets.append({"photos": photos, "more": len(rows) - len(photos)})
    return {
        "key": finding.key,
        "title": finding.title,
        "count": finding.count,
        "unit": finding.unit,
        "advice": finding.advice,
        "detail": finding.detail,
        "grave": finding.grave,
        "single": all(len(rows) == 1 for rows in finding.sets),
        "sets": sets,
        "left": len(finding.sets) - len(sets),
        "headings": finding.rows[0] if finding.rows else [],
        "rows": finding.rows[1 : _ROWS + 1],
        "rows_left": max(0, len(finding.rows) - 1 - _ROWS),
    }


def _picture(survey: Survey, row: int, pictures: dict[int, str]) -> str:
    """A small picture as a data URI, boxes drawn; empty where the photo cannot be read."""
    if row not in pictures:
        pictures[row] = ""
        try:
            path = survey.manifest.root / survey.paths[row]
            photo = read_image(path, min_side=_SIDE, value_range=survey.value_range)
        except UnreadableImage:
            return ""
        small = fitted(photo, _SIDE)
        if "boxes" in survey.manifest.table:
            corners, _ = survey.manifest.boxes(row)
            across = np.array(small.shape[1::-1], dtype=np.float32) / np.maximum(
                survey.looks.sizes[row], 1
            )
            small = outlined(small, (corners * np.tile(across, 2)).astype(np.float32), TRUE_BOX, 2)
        pictures[row] = jpeg_uri(small, 80)
    return pictures[row]


def _fix(fixed: Fixed) -> dict[str, Any]:
    moved = [(path, *what) for path, what in list(fixed.moved.items())[:_ROWS]]
    dropped = list(fixed.dropped.items())[:_ROWS]
    return {
        "dropped": dropped,
        "dropped_left": len(fixed.dropped) - len(dropped),
        "moved": moved,
        "moved_left": len(fixed.moved) - len(moved),
        "boxes": mended_line(fixed.boxes, "doctor.json") if len(fixed.boxes) else "",
    }


def _map(survey: Survey) -> dict[str, Any] | None:
    """Points of the map, their colours by class, split and group, and their pictures."""
    likeness, tiles = survey.likeness, survey.looks.tiles
    if likeness is None or not len(tiles):
        return None
    places, how = flat_map(likeness.features)
    step = -(-len(survey.paths) // len(tiles))
    shown = np.flatnonzero(likeness.rows % step == 0)
    rows = likeness.rows[shown]
    columns = {"class": survey.labels, "split": survey.splits}
    groups = survey.manifest.table["group"].to_numpy(dtype=str)
    if survey.manifest.has_groups:
        columns["group"] = groups
    paths = survey.paths
    payload = map_payload(
        places[shown],
        (rows // step).tolist(),
        [paths[row] for row in rows],
        {name: values[rows] for name, values in columns.items()},
    )
    sheet = jpeg_uri(sheet_of(tiles), 60)
    return map_section(payload, how, "a frozen network", sheet, len(likeness.rows))
