"""Matching of detections to true boxes, and the reasons of mistakes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from osprey.imaging.boxes import Boxes, assign, iou, match
from osprey.reports.run_record import Floats, Ints

TOUCHES = 0.1  # overlap from which a box was meant for a subject, only badly placed
OVERLAP = 0.5  # from which it is found

# What is wrong with a box that counts and is no true one, and why a true one was not found.
TWICE, MISTAKEN, BESIDE, NOTHING, FAINT = range(1, 6)


@dataclass(frozen=True)
class BoxTable:
    """Boxes of many photos, sorted by photo.

    Attributes:
        photos: int64 [N], index of each box's photo.
        labels: int64 [N], class ids.
        scores: float64 [N]; 1 for true boxes.
        boxes: float32 [N, 4], corners in pixels.
    """

    photos: Ints
    labels: Ints
    scores: Floats
    boxes: Boxes

    def __len__(self) -> int:
        return len(self.labels)

    def at(self, rows: Ints | NDArray[np.bool_]) -> BoxTable:
        """Some of them: by their places, or by bool [N]."""
        return BoxTable(self.photos[rows], self.labels[rows], self.scores[rows], self.boxes[rows])


@dataclass(frozen=True)
class Matched:
    """Detections [N] matched to true boxes [M].

    Attributes:
        hit: int64 [N], the matched true box of the same class at IoU 0.5; -1: none.
        kept: bool [N], whether the score reaches its class's threshold.
        finder: int64 [M], the matched detection, whatever its score; -1: none.
        other: int64 [N], for a kept box without a match: the true box of another class that it
            overlaps and no other detection matched; -1: none.
        wrong: int64 [N], 0 or the reason of a false alarm: TWICE, MISTAKEN, BESIDE, NOTHING.
        missed: int64 [M], 0 or the reason of a miss: MISTAKEN, FAINT, BESIDE, NOTHING.
    """

    hit: Ints
    kept: NDArray[np.bool_]
    finder: Ints
    other: Ints
    wrong: Ints
    missed: Ints

    @property
    def right(self) -> NDArray[np.bool_]:
        """Which kept boxes are correct, bool [N]."""
        result: NDArray[np.bool_] = self.kept & (self.hit >= 0)
        return result

    @property
    def seen(self) -> NDArray[np.bool_]:
        """Which true boxes have a kept detection, bool [M]."""
        result: NDArray[np.bool_] = self.missed == 0
        return result


def matched(found: BoxTable, truth: BoxTable, kept: NDArray[np.bool_], photos: int) -> Matched:
    """Match as the metrics do: within each class, highest score first; then explain mistakes.

    Args:
        found: Detections; within a photo and class, highest score first.
        truth: The true boxes.
        kept: bool [N], which detections are above threshold.
        photos: Number of photos.

    Returns:
        The matches and the reasons.
    """
    hit, finder = _within_classes(found, truth)
    seen = np.zeros(len(truth), dtype=bool)
    seen[hit[kept & (hit >= 0)]] = True
    result = Matched(
        hit=hit,
        kept=kept,
        finder=finder,
        other=np.full(len(found), -1, dtype=np.int64),
        wrong=np.where(kept & (hit < 0), NOTHING, 0),
        missed=np.where(seen, 0, np.where(finder >= 0, FAINT, NOTHING)),
    )
    rest = found.photos[result.wrong > 0], truth.photos[result.missed > 0]
    of_found, of_truth = (by_photo(t.photos, photos) for t in (found, truth))
    for photo in np.unique(np.concatenate(rest)):
        mine, real = of_found[photo], of_truth[photo]
        _explain(
            result,
            found,
            truth,
            mine.start + np.flatnonzero(result.wrong[mine]),
            np.arange(real.start, real.stop),
        )
    return result


def _explain(m: Matched, found: BoxTable, truth: BoxTable, free: Ints, real: Ints) -> None:
    """Say of one photo why the boxes ``free`` are none of the ``real`` ones, and why some lack."""
    free = free[np.argsort(-found.scores[free], kind="stable")]
    left = real[m.missed[real] > 0]
    place = match(found.boxes[free], truth.boxes[left], OVERLAP)
    taken = place >= 0
    m.other[free[taken]] = left[place[taken]]
    m.wrong[free[taken]] = MISTAKEN
    m.missed[left[place[taken]]] = MISTAKEN
    if not len(free) or not len(real):
        return
    shared = iou(found.boxes[free], truth.boxes[real])
    same = found.labels[free][:, None] == truth.labels[real]
    twice = (shared * same).max(axis=1) >= OVERLAP
    near = shared >= TOUCHES
    m.wrong[free[near.any(axis=1) & ~taken]] = BESIDE
    m.wrong[free[twice & ~taken]] = TWICE
    # Only boxes that are wrong count here: the others stand on subjects of their own.
    m.missed[real[near.any(axis=0) & (m.missed[real] == NOTHING)]] = BESIDE


def _within_classes(found: BoxTable, truth: BoxTable) -> tuple[Ints, Ints]:
    """The true box of each found one, [N], and the found box of each true one, [M]; or -1."""
    hit = np.full(len(found), -1, dtype=np.int64)
    finder = np.full(len(truth), -1, dtype=np.int64)
    for mine, real, shared in of_one_class(found, truth):
        place = assign(shared, OVERLAP)
        rows = mine.start + np.flatnonzero(place >= 0)
        hit[rows] = real[place[place >= 0]]
        finder[hit[rows]] = rows
    return hit, finder


def of_one_class(
    found: BoxTable, truth: BoxTable
) -> Iterator[tuple[slice, Ints, NDArray[np.float32]]]:
    """What may match: the boxes of each photo and class that were found and are there.

    Args:
        found: Detections; within a photo and class, highest score first.
        truth: The true boxes.

    Yields:
        Rows of the n detections, rows of the m true boxes, and their overlaps, float32 [n, m].
    """
    order = np.lexsort((truth.labels, truth.photos))
    wanted = {key: order[rows] for key, rows in _groups(truth.photos[order], truth.labels[order])}
    for key, mine in _groups(found.photos, found.labels):
        real = wanted.get(key)
        if real is not None:
            yield mine, real, iou(found.boxes[mine], truth.boxes[real])


def _groups(photos: Ints, labels: Ints) -> Iterator[tuple[tuple[int, int], slice]]:
    """Runs of rows of the same photo and class."""
    ends = np.flatnonzero((np.diff(photos) != 0) | (np.diff(labels) != 0)) + 1
    starts = np.concatenate([[0], ends]) if len(photos) else ends
    for start, stop in zip(starts, [*ends, len(photos)], strict=False):
        yield (int(photos[start]), int(labels[start])), slice(int(start), int(stop))


def by_photo(photos: Ints, count: int) -> list[slice]:
    """The rows of each photo."""
    ends = np.searchsorted(photos, np.arange(count + 1))
    return [slice(int(a), int(b)) for a, b in pairwise(ends)]
