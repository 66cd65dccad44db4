"""A detector's boxes, read from the run folder's table, with the manifest's true boxes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from osprey.reports.run_record import TABLES, Floats, Ints, RunRecord, table
from osprey.tasks.detection.difficult import counted_tables, difficult_in
from osprey.tasks.detection.report.matching import BoxTable, Matched, matched


@dataclass(frozen=True)
class DetectorRun(RunRecord):
    """The content of a detector's run folder.

    Attributes:
        paths: The P photos of the split shown, in the manifest's order.
        sizes: int64 [P, 2], their width and height in pixels.
        truth: Their true boxes.
        found: The detections; within a photo and class, highest score first.
        matched: Detections matched to true boxes.
        mended: ``path, label, x, y, w, h, what`` of boxes repaired or dropped before training.
    """

    paths: list[str]
    sizes: Ints
    truth: BoxTable
    found: BoxTable
    matched: Matched
    mended: pd.DataFrame

    @property
    def thresholds(self) -> Floats:
        """Each class's score from which a box counts, float64 [C]."""
        return np.array([row["threshold"] for row in self.figures["per_class"]], dtype=np.float64)


def read(run: RunRecord) -> DetectorRun:
    """Add the detections and true boxes of the split shown to a run's record."""
    part = run.manifest[run.manifest["split"] == run.split]
    part = part.head(int(run.figures["n"]))  # testing may have been cut short
    paths = part["path"].tolist()
    truth = truth_of(part["boxes"], run.classes)
    found = found_in(run.folder / TABLES[run.split], paths, run.classes)
    truth, found = counted_tables(truth, found, difficult_in(part))
    limits = np.array([row["threshold"] for row in run.figures["per_class"]], dtype=np.float64)
    return DetectorRun(
        **vars(run),
        paths=paths,
        sizes=part[["width", "height"]].to_numpy().astype(np.int64),
        truth=truth,
        found=found,
        matched=matched(found, truth, found.scores >= limits[found.labels], len(paths)),
        mended=table(run.folder / "boxes_mended.csv"),
    )


def truth_of(texts: Sequence[str] | pd.Series[str], classes: Sequence[str]) -> BoxTable:
    """The boxes of the manifest's column: JSON ``[[label, x, y, w, h], ...]`` a photo."""
    number = {name: i for i, name in enumerate(classes)}
    rows = [
        (photo, number[label], x, y, x + w, y + h)
        for photo, text in enumerate(texts)
        for label, x, y, w, h in json.loads(text)
    ]
    figures = np.array(rows, dtype=np.float64).reshape(-1, 6)
    return BoxTable(
        figures[:, 0].astype(np.int64),
        figures[:, 1].astype(np.int64),
        np.ones(len(rows)),
        figures[:, 2:].astype(np.float32),
    )


def found_in(path: Path, paths: Sequence[str], classes: Sequence[str]) -> BoxTable:
    """A table of boxes; a photo on which nothing was found has no row."""
    return table_of(read_found(path), paths, classes)


def read_found(path: Path) -> pd.DataFrame:
    """The rows of a table of boxes that a tested run wrote."""
    return pd.read_csv(path, dtype={"path": str, "label": str}, keep_default_na=False)


def table_of(rows: pd.DataFrame, paths: Sequence[str], classes: Sequence[str]) -> BoxTable:
    """Rows as boxes, each of one of the photos."""
    photos, labels = _places(rows["path"], paths), _places(rows["label"], classes)
    scores = rows["score"].to_numpy(np.float64)
    corners: NDArray[np.float64] = rows[["x", "y", "w", "h"]].to_numpy(np.float64)
    corners[:, 2:] += corners[:, :2]
    order = np.lexsort((-scores, labels, photos))
    return BoxTable(photos[order], labels[order], scores[order], corners[order].astype(np.float32))


def _places(names: pd.Series[str], known: Sequence[str]) -> Ints:
    """Where each name stands among the known ones; an error where one does not."""
    places = names.map({name: i for i, name in enumerate(known)})
    if places.isna().any():
        raise ValueError(f"{names.name} '{names[places.isna()].iloc[0]}' is unknown")
    result: Ints = np.asarray(places, dtype=np.int64)
    return result
