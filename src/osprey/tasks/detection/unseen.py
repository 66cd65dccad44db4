"""What runs say of photos that they were not trained on: a run's own, and those of its folds."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from osprey.errors import UserError
from osprey.imaging.boxes import assign
from osprey.reports.run_record import TABLES, Floats, predictions_of, read_run
from osprey.runs.folder import RunFolder
from osprey.tasks.detection.report.matching import BoxTable, of_one_class
from osprey.tasks.detection.report.record import read_found, table_of, truth_of

if TYPE_CHECKING:
    from osprey.config.schema import TrainConfig
    from osprey.data.manifest import Manifest

_OVERLAP = 0.5


@dataclass(frozen=True)
class Unseen:
    """Photos that were not trained on, and the boxes of the runs that have not seen them.

    Attributes:
        part: The P photos, in the manifest's order.
        truth: Their annotated boxes, in the manifest's order.
        found: The detections.
        sure: float64 [N], which share of the detections of such a class and score are right.
        runs: How many runs were asked.
    """

    part: Manifest
    truth: BoxTable
    found: BoxTable
    sure: Floats
    runs: int


def unseen_photos(run: RunFolder, config: TrainConfig, manifest: Manifest) -> Unseen:
    """The validation and test photos of a run, and of the other folds that were trained alike.

    A photo that several runs have not seen is taken from one that tested on it, since validation
    chose the epoch.

    Args:
        run: A tested run.
        config: Its settings.
        manifest: Its samples.

    Raises:
        UserError: The run is not finished, or has no table of predictions.
    """
    classes = read_run(run.path).classes
    runs = [run, *_other_folds(run, config)]
    taken: dict[str, pd.DataFrame] = {}
    for split in TABLES:  # test first
        for each in runs:
            taken |= {k: v for k, v in _answers(each, split) if k not in taken}
    table = manifest.table
    part = manifest.where(table["path"].isin(list(taken)))
    paths = part.table["path"].tolist()
    truth = truth_of(part.table["boxes"], classes)
    found = table_of(pd.concat([taken[path] for path in paths]), paths, classes)
    return Unseen(part, truth, found, _sure(found, truth, len(classes)), len(runs))


def _other_folds(run: RunFolder, config: TrainConfig) -> Iterator[RunFolder]:
    """The newest finished run of each other fold beside this one, of the same data and model."""
    if config.data.folds is None:
        return
    known = {config.data.fold}
    for file in sorted(run.path.resolve().parent.glob("*/summary.json"), reverse=True):
        other = RunFolder(file.parent)
        with suppress(UserError):  # a damaged run is none
            settings = other.load_config()
            if _alike(settings) == _alike(config) and settings.data.fold not in known:
                known.add(settings.data.fold)
                yield other


def _alike(config: TrainConfig) -> tuple[Any, ...]:
    """What runs of other folds have in common."""
    data = config.data
    cut = (data.root, data.file, data.folds, data.split_seed, data.group, data.stratify)
    return (config.task.name, config.model.name, *cut, data.classes, data.single_class)


def _answers(run: RunFolder, split: str) -> Iterator[tuple[str, pd.DataFrame]]:
    """The boxes that a run found on each photo of a split."""
    record = read_run(run.path)
    if split not in record.summary:
        return
    names = record.manifest["path"][record.manifest["split"] == split]
    rows = read_found(predictions_of(run.path, split))
    found = dict(iter(rows.groupby("path")))
    for name in names.head(int(record.summary[split]["n"])):  # testing may have been cut short
        yield name, found.get(name, rows.iloc[:0])


def _sure(found: BoxTable, truth: BoxTable, classes: int) -> Floats:
    """Of each detection the share of right ones among those of its class and score.

    A detector's scores are no probabilities, and one of 0.5 may be the surest it gives: by
    isotonic regression on these photos they become such that can be compared between classes.
    """
    from sklearn.isotonic import IsotonicRegression

    right = np.zeros(len(found))
    for mine, _, shared in of_one_class(found, truth):
        right[mine] = assign(shared, _OVERLAP) >= 0
    sure = np.zeros(len(found))
    for label in range(classes):
        rows = np.flatnonzero(found.labels == label)
        if len(rows):
            fit = IsotonicRegression(y_min=0, y_max=1)
            sure[rows] = fit.fit_transform(found.scores[rows], right[rows])
    return sure
