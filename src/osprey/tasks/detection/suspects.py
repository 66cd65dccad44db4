"""Boxes that are probably wrong: missing, of the wrong class, badly placed."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from osprey.imaging.boxes import Boxes, iou
from osprey.imaging.drawing import FOUND_BOX, TRUE_BOX
from osprey.reports.run_record import Floats, Ints
from osprey.runs.folder import RunFolder
from osprey.tasks.detection.report.matching import OVERLAP, TOUCHES, by_photo
from osprey.tasks.detection.unseen import Unseen, unseen_photos
from osprey.tasks.specs import Panel
from osprey.tasks.suspects import Suspect, Suspects

if TYPE_CHECKING:
    from osprey.config.schema import TrainConfig
    from osprey.data.manifest import Manifest

MISSING, SWAPPED, PLACED = "missing", "wrong class", "badly placed"
SIDES = ("x", "y", "w", "h")
COLUMNS = (
    *("path", "split", "what", "label", "suggested", "likely"),
    *(*SIDES, *(f"to_{side}" for side in SIDES)),
)
_LEAST = 0.5  # of the boxes of that class and score are right: else it is the run that errs
_NO_BOX = "no box"

Corners = tuple[float, float, float, float]


@dataclass(frozen=True)
class BoxSuspect(Suspect):
    """A box that is probably wrong, or is not there and should be.

    Attributes:
        what: `MISSING`, `SWAPPED` or `PLACED`.
        label: Its class; empty where there is no box.
        suggested: The class that the run names.
        likely: How likely the run is right, 0 to 1.
        box: Its corners in pixels; None where there is no box.
        found: Those of the run's box.
        annotated: float32 [M, 4], all boxes of the photo, for the page.
    """

    what: str
    label: str
    suggested: str
    likely: float
    box: Corners | None
    found: Corners
    annotated: Boxes

    def cells(self) -> list[str]:
        """The row of `COLUMNS`; boxes as x, y, width and height in pixels."""
        first = [self.path, self.split, self.what, self.label, self.suggested]
        return [*first, f"{self.likely:.4f}", *_sides(self.box), *_sides(self.found)]

    def line(self) -> str:
        """What is suspected."""
        words = {
            MISSING: f"{self.suggested} without a box",
            SWAPPED: f"{self.label} looks like {self.suggested}",
            PLACED: f"{self.label} is badly placed",
        }[self.what]
        return f"{words} ({self.likely:.3f})"

    def facts(self) -> list[tuple[str, str, str]]:
        """What is annotated, and what the run says."""
        annotated = ("boxed as", self.label, "") if self.box is not None else (_NO_BOX, "", "")
        words = {MISSING: "looks like", SWAPPED: "looks like", PLACED: "better placed"}[self.what]
        return [annotated, (words, self.suggested, f"{100 * self.likely:.1f}%")]

    def pair(self) -> tuple[str, str]:
        """Class and suggested class."""
        placed = f"{self.suggested}, placed otherwise"
        return self.label or _NO_BOX, placed if self.what == PLACED else self.suggested

    def is_decided(self, decision: str) -> bool:
        """Whether a box of the photo at this place was decided about."""
        place = self.box or self.found
        return any(overlap(place, other) >= OVERLAP for _, other in boxes_decided(decision))

    def panel(self) -> Panel:
        """The photo around the box, what is annotated beside what the run found."""
        drawn = (self.annotated, TRUE_BOX), (np.array([self.found], np.float32), FOUND_BOX)
        around = self.found if self.box is None else _both(self.box, self.found)
        return Panel(outlines=drawn, around=around)


def boxes_decided(decision: str) -> list[tuple[str, Corners]]:
    """The boxes of a photo about which was decided, from the manifest's column ``decision``.

    Args:
        decision: JSON ``[[word, x, y, x2, y2], ...]``; any other text, as of another tool: none.
    """
    try:
        rows = json.loads(decision) if decision else []
        return [(str(word), (float(a), float(b), float(c), float(d))) for word, a, b, c, d in rows]
    except (ValueError, TypeError):
        return []


def overlap(one: Corners, other: Corners) -> float:
    """Intersection over union of two boxes."""
    both = (np.array([box], np.float32) for box in (one, other))
    return float(iou(*both)[0, 0])


def find_suspects(run: RunFolder, config: TrainConfig, manifest: Manifest) -> Suspects:
    """What runs say of photos that they were not trained on, against the annotation.

    Args:
        run: A tested run.
        config: Its settings.
        manifest: Its samples.

    Raises:
        UserError: The run is not finished, or has no table of predictions.
    """
    known = unseen_photos(run, config, manifest)
    classes = manifest.classes
    suspects = sorted(_of_all(known, classes), key=lambda pair: -pair[0])
    photos, of = len(known.part.table), len(manifest.table)
    runs = "the run" if known.runs == 1 else f"{known.runs} runs of folds"
    how = f"the boxes that {runs} found on photos not trained on"
    doubt = ""
    if photos < of:
        doubt = (
            f"{of - photos} of {of} photos were trained on, where a network repeats the mistakes "
            "it has learnt: they are not looked at. Train every fold "
            "(-m data.folds=5 data.fold=0,1,2,3,4) to look at all."
        )
    decisions = "keep, drop (the box goes), fix (what the run suggests) or a class"
    return Suspects(photos, [s for _, s in suspects], how, doubt, COLUMNS, decisions, "box")


def _of_all(known: Unseen, classes: Sequence[str]) -> Iterator[tuple[float, BoxSuspect]]:
    """Suspects of all photos, each with how suspicious it is."""
    table = known.part.table
    of_found, of_truth = (by_photo(t.photos, len(table)) for t in (known.found, known.truth))
    for path, split, mine, real in zip(
        table["path"], table["split"], of_found, of_truth, strict=True
    ):
        rows = mine.start + np.flatnonzero(known.sure[mine] >= _LEAST)
        rows = rows[np.lexsort((-known.found.scores[rows], -known.sure[rows]))]
        one = _Photo(
            (known.found.boxes[rows], known.found.labels[rows], known.sure[rows]),
            (known.truth.boxes[real], known.truth.labels[real]),
        )
        for suspicion, what, found, true in one.suspects():
            label = "" if true is None else classes[one.truth[1][true]]
            yield (
                suspicion,
                BoxSuspect(
                    str(path),
                    str(split),
                    what,
                    label,
                    classes[one.found[1][found]],
                    float(one.found[2][found]),
                    None if true is None else _corners(one.truth[0][true]),
                    _corners(one.found[0][found]),
                    one.truth[0],
                ),
            )


@dataclass(frozen=True)
class _Photo:
    """One photo's boxes.

    Attributes:
        found: Boxes float32 [N, 4], classes int64 [N] and sureness float64 [N], the surest first.
        truth: Boxes float32 [M, 4] and classes int64 [M].
    """

    found: tuple[Boxes, Ints, Floats]
    truth: tuple[Boxes, Ints]

    def suspects(self) -> Iterator[tuple[float, str, int, int | None]]:
        """How suspicious, what, the number of the found box and that of the annotated one."""
        boxes, labels, sure = self.found
        if not len(boxes):
            return
        shared = iou(boxes, self.truth[0])
        same = labels[:, None] == self.truth[1]
        free, left = np.ones(len(boxes), bool), np.ones(len(self.truth[0]), bool)
        for wanted, least, what in (
            (same, OVERLAP, ""),  # as it should be
            (~same, OVERLAP, SWAPPED),
            (same, TOUCHES, PLACED),
        ):
            open_pairs = np.where(wanted & free[:, None] & left, shared, 0)
            for row in np.flatnonzero(open_pairs.max(axis=1, initial=0) >= least):
                place = int(np.where(left, open_pairs[row], 0).argmax())
                if not left[place] or open_pairs[row, place] < least:
                    continue
                free[row] = left[place] = False
                if what:
                    yield float(sure[row]), what, int(row), place
        # A second box on a subject that is annotated is the run's mistake.
        alone = free & (shared.max(axis=1, initial=0) < OVERLAP)
        for row in np.flatnonzero(alone):
            clear = 1 - float(shared[row].max(initial=0))
            yield float(sure[row]) * clear, MISSING, int(row), None


def _corners(box: Boxes) -> Corners:
    x, y, right, bottom = (float(v) for v in box)
    return x, y, right, bottom


def _sides(box: Corners | None) -> list[str]:
    if box is None:
        return [""] * 4
    x, y, right, bottom = box
    return [f"{v:.2f}" for v in (x, y, right - x, bottom - y)]


def _both(one: Corners, other: Corners) -> Corners:
    """The box round two."""
    left, top = min(one[0], other[0]), min(one[1], other[1])
    return left, top, max(one[2], other[2]), max(one[3], other[3])
