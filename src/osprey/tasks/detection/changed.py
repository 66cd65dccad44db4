"""The photos to look at of those on which two detectors found other boxes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from osprey.imaging.drawing import FALSE_BOX, FOUND_BOX, TRUE_BOX
from osprey.reports.run_record import Ints
from osprey.runs.folder import RunFolder
from osprey.system.console import counted
from osprey.tasks.detection.paired import SharedBoxes, shared_boxes
from osprey.tasks.detection.report.matching import Matched, matched
from osprey.tasks.specs import ChangedGroup, ChangedPhoto, Panel

_EACH = 12  # of two pictures each
_NAMED = 3  # classes of false alarms on one photo


def changed_photos(first: RunFolder, second: RunFolder, split: str) -> list[ChangedGroup]:
    """Up to 12 photos of each way in which what was found changed, the largest change first.

    Raises:
        UserError: See `osprey.tasks.detection.paired.shared_boxes`.
    """
    both = shared_boxes(first, second, split)
    photos = len(both.groups)
    sides = [matched(side.found, both.truth, side.kept, photos) for side in both.sides]
    of_photo = both.truth.photos
    gained = np.bincount(of_photo[~sides[0].seen & sides[1].seen], minlength=photos)
    lost = np.bincount(of_photo[sides[0].seen & ~sides[1].seen], minlength=photos)
    alarms = [
        np.bincount(side.found.photos[m.wrong > 0], minlength=photos)
        for side, m in zip(both.sides, sides, strict=True)
    ]
    more, size = gained - lost, gained + lost
    other = alarms[1] - alarms[0]
    kinds = (
        ("Fewer subjects found than before", more < 0),
        ("More subjects found than before", more > 0),
        ("As many subjects found, other ones", (more == 0) & (size > 0)),
        ("The same subjects found, more false alarms", (size == 0) & (other > 0)),
        ("The same subjects found, fewer false alarms", (size == 0) & (other < 0)),
    )
    order = np.lexsort((-np.abs(other), -size, -np.abs(more)))
    return [_group(title, both, sides, order[mine[order]]) for title, mine in kinds]


def _group(title: str, both: SharedBoxes, sides: list[Matched], photos: Ints) -> ChangedGroup:
    return ChangedGroup(title, len(photos), [_photo(both, sides, int(p)) for p in photos[:_EACH]])


def _photo(both: SharedBoxes, sides: list[Matched], photo: int) -> ChangedPhoto:
    here = both.truth.photos == photo
    answers: list[tuple[str, bool | None]] = []
    panels = []
    for name, side, match in zip("AB", both.sides, sides, strict=True):
        mine = side.found.photos == photo
        wrong = mine & (match.wrong > 0)
        seen = f"{int(match.seen[here].sum())} of {int(here.sum())} found"
        alarms = _alarms([both.classes[i] for i in side.found.labels[wrong]])
        answers.append((f"{seen if here.any() else 'no subject'}, {alarms}", None))
        outlines = (
            (both.truth.boxes[here], TRUE_BOX),
            (side.found.boxes[wrong], FALSE_BOX),
            (side.found.boxes[mine & match.right], FOUND_BOX),
        )
        panels.append(Panel(name, outlines))
    there = Counter(both.classes[i] for i in both.truth.labels[here])
    return ChangedPhoto(
        (both.sides[0].paths[photo], both.sides[1].paths[photo]),
        (answers[0], answers[1]),
        ", ".join(f"{n} {label}" for label, n in there.items()),
        tuple(panels),
    )


def _alarms(labels: Sequence[str]) -> str:
    """False alarms in words, with the classes they were taken for."""
    names = list(dict.fromkeys(labels))
    said = [*names[:_NAMED], *(["..."] if len(names) > _NAMED else [])]
    return counted(len(labels), "false alarm") + (f" ({', '.join(said)})" if said else "")
