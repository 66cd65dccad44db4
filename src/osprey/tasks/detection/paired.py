"""Two detectors on the same photos: their boxes side by side, and how far apart their APs are."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from osprey.data.box_column import DIFFICULT
from osprey.errors import UserError
from osprey.reports.run_record import Floats, Ints, damage_in_one_line, predictions_of
from osprey.runs.folder import RunFolder
from osprey.runs.shared_samples import nothing_shared, shared_samples
from osprey.tasks.bootstrap import difference_of, drawn_photos
from osprey.tasks.detection.difficult import counted_tables, difficult_in
from osprey.tasks.detection.draws import OVERLAPS_OF, as_coco_counts, mean_aps
from osprey.tasks.detection.interval import DRAWS
from osprey.tasks.detection.report.matching import BoxTable
from osprey.tasks.detection.report.record import found_in, truth_of
from osprey.tasks.specs import PairedDifference

_SAME = 0.01  # pixels by which the same box may differ in two tables


@dataclass(frozen=True)
class Side:
    """One detector's boxes on the shared photos.

    Attributes:
        paths: What its run calls the P photos.
        found: Its detections.
        kept: bool [N], whether each reaches its class's threshold.
    """

    paths: list[str]
    found: BoxTable
    kept: NDArray[np.bool_]


@dataclass(frozen=True)
class SharedBoxes:
    """Both detectors' boxes on the photos that both were asked about.

    Attributes:
        classes: Of either; labels are places in it.
        groups: Of the P photos; empty where not known.
        truth: Their true boxes.
        sides: The first and the second.
    """

    classes: list[str]
    groups: list[str]
    truth: BoxTable
    sides: tuple[Side, Side]


def paired_differences(
    first: RunFolder, second: RunFolder, split: str, keys: Collection[str]
) -> dict[str, PairedDifference]:
    """The difference of APs on the photos that two runs share, with its 95% interval.

    The interval is a bootstrap over photos, or over their groups: each draw gives both runs the
    same ones, so that what is hard for both does not count.

    Args:
        first: A run.
        second: Another.
        split: ``val`` or ``test``.
        keys: ``map``, ``ap50`` or ``ap75``; of others nothing is known.

    Returns:
        Second minus first, by key; nothing where there are fewer than two photos or groups, or no
        boxes.

    Raises:
        UserError: See `shared_boxes`.
    """
    wanted = {key: OVERLAPS_OF[key] for key in keys if key in OVERLAPS_OF}
    both = shared_boxes(first, second, split)
    photos = len(both.groups)
    weights = drawn_photos(both.groups, photos, DRAWS)
    if weights is None or not len(both.truth) or not wanted:
        return {}
    weights = np.vstack([np.ones(photos, np.int32), weights])  # the first is what was measured
    overlaps = sorted({overlap for each in wanted.values() for overlap in each})
    one, other = (mean_aps(side.found, both.truth, overlaps, weights) for side in both.sides)
    result = {}
    for key, each in wanted.items():
        rows = [overlaps.index(overlap) for overlap in each]
        difference = (other - one)[rows].mean(axis=0)
        result[key] = difference_of(difference, photos)
    return result


def shared_boxes(first: RunFolder, second: RunFolder, split: str) -> SharedBoxes:
    """Both runs' boxes on the photos of a split that both were asked about.

    Raises:
        UserError: There is no such photo, its true boxes are others in each run, or a table of
            theirs is missing or damaged.
    """
    one, other = (_Tested.read(run, split) for run in (first, second))
    rows = shared_samples(one.photos, other.photos)
    if not len(rows[0]):
        raise nothing_shared(split, (first, second), (len(one.photos), len(other.photos)))
    classes = list(dict.fromkeys([*one.classes, *other.classes]))
    truth, others = (
        _renumbered(run.truth, at, run.classes, classes)[1]
        for run, at in zip((one, other), rows, strict=True)
    )
    if not _same_boxes(truth, others):
        raise UserError(
            f"the true boxes of {split} are not the same in '{first.path}' and '{second.path}': "
            "runs on the same annotations are compared photo by photo"
        )
    sides = [run.side(at, classes) for run, at in zip((one, other), rows, strict=True)]
    groups = one.photos["group"].iloc[rows[0]].tolist()
    return SharedBoxes(classes, groups, truth, (sides[0], sides[1]))


@dataclass(frozen=True)
class _Tested:
    """A detector's boxes on a split, all of them."""

    photos: pd.DataFrame
    classes: list[str]
    thresholds: Floats
    truth: BoxTable
    found: BoxTable

    @classmethod
    def read(cls, run: RunFolder, split: str) -> _Tested:
        with damage_in_one_line(run.path):
            table = predictions_of(run.path, split)
            summary = run.read_json("summary.json")
            figures, classes = summary[split], summary["classes"]
            photos = run.samples("split", "boxes", DIFFICULT).reset_index()
            if photos.empty:
                raise UserError(
                    f"run '{run.path}' has no whole manifest.csv: copy it again, or train anew"
                )
            photos = photos[photos["split"] == split].head(int(figures["n"]))  # may be cut short
            limits = {row["label"]: float(row["threshold"]) for row in figures["per_class"]}
            truth = truth_of(photos["boxes"], classes)
            found = found_in(table, photos["path"].tolist(), classes)
            truth, found = counted_tables(truth, found, difficult_in(photos))
            return cls(photos, classes, np.array([limits[name] for name in classes]), truth, found)

    def side(self, rows: Ints, classes: Sequence[str]) -> Side:
        """What it found on some of its photos, labelled by the classes of both runs."""
        found = as_coco_counts(self.found)
        kept = found.scores >= self.thresholds[found.labels]
        order, placed = _renumbered(found, rows, self.classes, classes)
        paths = self.photos["path"].iloc[rows].tolist()
        return Side(paths, placed, kept[order])


def _renumbered(
    table: BoxTable, rows: Ints, own: Sequence[str], classes: Sequence[str]
) -> tuple[Ints, BoxTable]:
    """The boxes on some photos, photos and labels by their new places; and where they stood."""
    photo = np.full(int(max(rows.max(), table.photos.max(initial=0))) + 1, -1, dtype=np.int64)
    photo[rows] = np.arange(len(rows))
    label = np.array([classes.index(name) for name in own], dtype=np.int64)
    photos, labels = photo[table.photos], label[table.labels]
    order = np.lexsort((-table.scores, labels, photos))
    order = order[photos[order] >= 0]
    return order, BoxTable(photos[order], labels[order], table.scores[order], table.boxes[order])


def _same_boxes(one: BoxTable, other: BoxTable) -> bool:
    """Whether two tables hold the same boxes, in any order within a photo."""
    tables = []
    for table in (one, other):
        order = np.lexsort((*table.boxes.T, table.labels, table.photos))
        tables.append(table.at(order))
    one, other = tables
    return (
        len(one) == len(other)
        and np.array_equal(one.photos, other.photos)
        and np.array_equal(one.labels, other.labels)
        and np.allclose(one.boxes, other.boxes, rtol=0, atol=_SAME)
    )
