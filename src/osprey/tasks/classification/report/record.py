"""A classifier's predictions, read from the tables in the run folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from osprey.reports.run_record import TABLES, Floats, Ints, RunRecord


@dataclass(frozen=True)
class Predictions:
    """Predictions on one split.

    Attributes:
        split: ``test`` or ``val``.
        paths: The N samples, relative to the data's root.
        labels: int64 [N], the true class.
        predicted: int64 [N], the class with the highest probability.
        scores: float64 [N], that probability.
        p: float64 [N, C], calibrated probabilities.
    """

    split: str
    paths: list[str]
    labels: Ints
    predicted: Ints
    scores: Floats
    p: Floats

    @property
    def right(self) -> NDArray[np.bool_]:
        """Which predictions are correct, bool [N]."""
        result: NDArray[np.bool_] = self.predicted == self.labels
        return result


@dataclass(frozen=True)
class ClassifierRun(RunRecord):
    """The content of a classifier's run folder.

    Attributes:
        shown: Predictions on the split that is shown.
        val: Predictions on validation, which thresholds are chosen on; None in an old run.
    """

    shown: Predictions
    val: Predictions | None


def read(run: RunRecord) -> ClassifierRun:
    """Add the tables of predictions to a run's record."""
    tables = {
        split: _predictions(run.folder / name, split, run.summary)
        for split, name in TABLES.items()
        if (run.folder / name).is_file()
    }
    return ClassifierRun(**vars(run), shown=tables[run.split], val=tables.get("val"))


def _predictions(path: Path, split: str, summary: dict[str, Any]) -> Predictions:
    """A table of predictions; its columns are named by the summary's classes."""
    classes = summary["classes"]
    text = dict.fromkeys(["path", "label", "predicted"], str)
    table = pd.read_csv(path, dtype=text, keep_default_na=False)
    p = table[[f"p:{name}" for name in classes]].to_numpy(np.float64)
    number = {name: i for i, name in enumerate(classes)}
    labels = table["label"].map(number).to_numpy(np.int64)
    best = p.argmax(axis=1)
    return Predictions(split, table["path"].tolist(), labels, best, p[np.arange(len(p)), best], p)
