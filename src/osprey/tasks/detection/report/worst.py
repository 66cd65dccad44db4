"""Misses and false alarms that are most worth inspecting."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np

from osprey.imaging.boxes import areas
from osprey.reports.run_record import Floats, Ints
from osprey.tasks.detection.report.figures import MISSED, WRONG
from osprey.tasks.detection.report.matching import MISTAKEN, NOTHING
from osprey.tasks.detection.report.record import DetectorRun

_EACH = 24
_A_PHOTO = 2  # of one type; more from one photo would be redundant


@dataclass(frozen=True)
class Pick:
    """One box to inspect.

    Attributes:
        kind: ``miss`` (a true box without a detection) or ``false_alarm``.
        box: Its index among the true boxes, or among the detections.
        row: Index of its photo.
        label: Its class id.
        score: A false alarm's own; for a miss that of the matching detection below threshold, or 0.
        why: The reason in words.
    """

    kind: str
    box: int
    row: int
    label: int
    score: float
    why: str


def worst(run: DetectorRun) -> list[Pick]:
    """Up to 24 misses and up to 24 false alarms, at most two of each from one photo.

    Misses without any detection nearby and large ones come first, false alarms by score.

    Args:
        run: The record.

    Returns:
        Misses, then false alarms.
    """
    m, truth, found = run.matched, run.truth, run.found
    missed = np.flatnonzero(m.missed)
    signs = np.where(m.finder >= 0, _at(found.scores, m.finder), 0.0)
    sizes = areas(truth.boxes) / np.prod(run.sizes, axis=1)[truth.photos]
    traced = m.missed[missed] != NOTHING  # something was found there, only not rightly
    missed = missed[np.lexsort((missed, -sizes[missed], traced, signs[missed]))]
    picks = [
        Pick(
            "miss",
            int(box),
            int(truth.photos[box]),
            int(truth.labels[box]),
            float(signs[box]),
            MISSED[int(m.missed[box])],
        )
        for box in _spread(missed, truth.photos)
    ]
    alarms = np.flatnonzero(m.wrong)
    alarms = alarms[np.lexsort((alarms, -found.scores[alarms]))]
    for box in _spread(alarms, found.photos):
        why = WRONG[int(m.wrong[box])]
        if m.wrong[box] == MISTAKEN:
            why = f"is {run.classes[truth.labels[m.other[box]]]}"
        place = int(found.photos[box]), int(found.labels[box])
        picks.append(Pick("false_alarm", int(box), *place, float(found.scores[box]), why))
    return picks


def _at(values: Floats, places: Ints) -> Floats:
    """``values[places]`` where some places are -1 and there may be no values at all."""
    result: Floats = np.append(values, 0.0)[places]
    return result


def _spread(ranked: Ints, photos: Ints) -> list[int]:
    """The first of a ranking, with no more than two of a photo."""
    taken: Counter[int] = Counter()
    chosen: list[int] = []
    for box in ranked.tolist():
        photo = int(photos[box])
        if taken[photo] < _A_PHOTO:
            taken[photo] += 1
            chosen.append(box)
        if len(chosen) == _EACH:
            break
    return chosen
