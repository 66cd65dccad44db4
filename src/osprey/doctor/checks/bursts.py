"""Bursts: photos of one moment, by the camera's clock or by numbers in their names."""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import PurePosixPath

import numpy as np

from osprey.doctor.finding import Finding, joined
from osprey.doctor.survey import Survey

_SECONDS = 3.0  # between two photos of a burst
_NUMBERS = 2  # between the numbers of two photos of a burst
_ALIKE = 0.85  # least correlation of their thumbnails, where names alone say that they are one
_AT_ONCE_ALIKE = 0.5  # where the clock says so, too: clocks stand still or were never set
_BESIDE = 8  # photos of one number, or that follow a photo in time, that are compared with it
_NUMBERED = re.compile(r"(.*?)(\d{1,9})\D*")


def check_bursts(survey: Survey) -> list[Finding]:
    """Look for photos taken within seconds of each other that are in several splits."""
    pairs = [*_by_clock(survey), *_by_number(survey)]
    bursts = joined(len(survey.readable), pairs)
    across = [rows for rows in bursts if survey.across(rows)]
    if not across:
        return []
    held = sum(survey.splits[row] in ("val", "test") for rows in across for row in rows)
    paths = survey.paths
    return [
        Finding(
            "bursts_across_splits",
            "bursts that straddle splits",
            len(across),
            "burst",
            "keep a burst in one split: give them a group (data.group=...), or fix=OUT.csv",
            f"alike, and taken within {_SECONDS:g} seconds or numbered one after the other: {held} "
            f"photos of val and test have others in another split, first "
            f"'{paths[across[0][0]]}' and '{paths[across[0][1]]}'",
            sets=across,
            together=[(rows, "burst") for rows in across],
        )
    ]


def _by_clock(survey: Survey) -> Iterator[tuple[int, int]]:
    """Photos of one camera that follow each other within seconds, and have something alike."""
    captures = survey.looks.captures
    rows = [row for row, one in enumerate(captures) if not math.isnan(one.time)]
    rows.sort(key=lambda row: (captures[row].camera, captures[row].time))
    for place, one in enumerate(rows):
        for other in rows[place + 1 : place + 1 + _BESIDE]:
            same = captures[one].camera == captures[other].camera
            if not same or captures[other].time - captures[one].time > _SECONDS:
                break
            if _alike(survey, one, other, _AT_ONCE_ALIKE):
                yield one, other


def _by_number(survey: Survey) -> Iterator[tuple[int, int]]:
    """Photos of one class that are alike, and whose names count on."""
    series: dict[tuple[str, str], dict[int, list[int]]] = defaultdict(lambda: defaultdict(list))
    labels = survey.labels
    for row, path in enumerate(survey.paths):
        found = _NUMBERED.fullmatch(PurePosixPath(path).stem)
        if found and survey.readable[row]:
            series[(labels[row], found[1])][int(found[2])].append(row)
    for numbered in series.values():
        for number, rows in numbered.items():
            for beside in range(number + 1, number + 1 + _NUMBERS):
                for other in numbered.get(beside, [])[:_BESIDE]:
                    for one in rows[:_BESIDE]:
                        if _alike(survey, one, other, _ALIKE):
                            yield one, other


def _alike(survey: Survey, one: int, other: int, least: float) -> bool:
    first, second = survey.looks.thumbs[[one, other]].reshape(2, -1).astype(np.float64)
    if min(first.std(), second.std()) < 1:
        return False
    return bool(np.corrcoef(first, second)[0, 1] >= least)
