"""Boxes outside their photo, of no area, tiny, doubled."""

from __future__ import annotations

from collections import Counter, defaultdict

import numpy as np
from numpy.typing import NDArray

from osprey.data.formats.reading import listed_classes
from osprey.doctor.finding import Finding
from osprey.doctor.survey import Survey
from osprey.imaging.boxes import iou

FORMATS = ("coco", "yolo", "megadetector")  # readers whose source lists its classes
_TINY = 4.0  # pixels of a side
_TINY_SHARE = 0.01  # and of the photo's side
_DOUBLED = 0.9  # overlap (IoU) from which two boxes are one thing
_NEAR_BORDER = 0.01  # pixels over the border that come of rounding


def check_boxes(survey: Survey) -> list[Finding]:
    """Look for boxes that no photo can have, and for those that are one."""
    if "boxes" not in survey.manifest.table:
        return []
    rows: dict[str, Counter[int]] = defaultdict(Counter)
    for row in range(len(survey.readable)):
        width, height = survey.looks.sizes[row].tolist()
        corners, names = survey.manifest.boxes(row)
        if width and len(corners):
            for kind, count in _kinds(corners, names, width, height).items():
                rows[kind][row] += count
        if not len(corners):
            rows["none"][row] += 1
    found = [
        _finding(survey, rows["empty"], "empty_boxes", "boxes without area", _MEND),
        _finding(survey, rows["outside"], "boxes_outside", "boxes over the photo's border", _MEND),
        _finding(survey, rows["doubled"], "doubled_boxes", "boxes drawn twice", _DELETE),
        _finding(survey, rows["disputed"], "disputed_boxes", "boxes of two classes", _CLASS),
        _finding(survey, rows["tiny"], "tiny_boxes", "tiny boxes", _LOOK, grave=False),
        *_without(survey, rows["none"]),
        *_boxless(survey),
    ]
    return [finding for finding in found if finding is not None]


_MEND = "draw them anew; training turns, clips or drops them, and fix=OUT.csv writes them so"
_DELETE = "delete all but one: each but one counts as a miss"
_CLASS = "decide for one class: two boxes overlap as if they were one thing"
_LOOK = "look whether they are meant: few detectors find what is this small"


def _kinds(corners: NDArray[np.float32], names: list[str], width: int, height: int) -> Counter[str]:
    """How many boxes of one photo are wrong, by what is wrong."""
    found: Counter[str] = Counter()
    sides = corners[:, 2:] - corners[:, :2]
    empty = sides.min(axis=1) <= 0
    size = np.array([width, height], dtype=np.float32)
    over = np.maximum(-corners[:, :2], corners[:, 2:] - size).max(axis=1) > _NEAR_BORDER
    tiny = (sides < np.maximum(_TINY, _TINY_SHARE * size)).any(axis=1) & ~empty
    found.update({"empty": int(empty.sum()), "outside": int((over & ~empty).sum())})
    found["tiny"] = int(tiny.sum())
    overlap = np.triu(iou(corners, corners), 1) >= _DOUBLED
    for one, other in zip(*np.nonzero(overlap), strict=True):
        found["doubled" if names[one] == names[other] else "disputed"] += 1
    return found


def _finding(
    survey: Survey, rows: Counter[int], key: str, title: str, advice: str, *, grave: bool = True
) -> Finding | None:
    rows = +rows
    if not rows:
        return None
    captions = {row: f"{count} of its boxes" for row, count in rows.items()}
    first = survey.paths[min(rows)]
    detail = f"on {len(rows)} photos, first '{first}'"
    shown = [[row] for row in sorted(rows)]
    count = sum(rows.values())
    return Finding(key, title, count, "box", advice, detail, grave, shown, captions)


def _without(survey: Survey, rows: Counter[int]) -> list[Finding]:
    """Photos without a box, where they are more than those with."""
    count, total = len(rows), len(survey.readable)
    if count <= total / 2:
        return []
    return [
        Finding(
            "photos_without_boxes",
            "photos without a box",
            count,
            "photo",
            "look whether they are meant to show nothing, or were not annotated",
            f"of {total}, first '{survey.paths[min(rows)]}'",
            grave=False,
            sets=[[row] for row in sorted(rows)],
        )
    ]


def _boxless(survey: Survey) -> list[Finding]:
    """Classes that the annotations list and never use."""
    if survey.config.reader not in FORMATS:
        return []
    used = set(survey.raw.target.names(survey.raw))
    unused = [name for name in listed_classes(survey.config) if name not in used]
    if not unused:
        return []
    return [
        Finding(
            "classes_without_boxes",
            "classes without boxes",
            len(unused),
            "class",
            "annotate some, or take them off the list; training leaves them out",
            ", ".join(f"'{name}'" for name in unused[:5]) + (" ..." if unused[5:] else ""),
            grave=False,
        )
    ]
