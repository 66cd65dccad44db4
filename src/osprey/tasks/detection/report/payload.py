"""Data that the page's script filters: a few small numbers per photo."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from osprey.reports.figures import Slicing
from osprey.tasks.detection.report.figures import outcomes
from osprey.tasks.detection.report.record import DetectorRun


def payload(run: DetectorRun, sliced: Sequence[Slicing]) -> dict[str, Any]:
    """Per photo and class the number of true boxes, detections and correct detections.

    ``rows`` is flat, five numbers each: photo, class, true, found, right;
    ``pairs`` is flat, three numbers each: photo, row and column of the confusion matrix.
    """
    size = len(run.classes)
    m = run.matched
    found = run.found.photos * size + run.found.labels
    true = run.truth.photos * size + run.truth.labels
    keys = np.unique(np.concatenate([true, found[m.kept]]))
    columns = [keys // size, keys % size]
    for part in (true, found[m.kept], found[m.right]):
        columns.append(np.bincount(np.searchsorted(keys, part), minlength=len(keys)))
    return {
        "photos": len(run.paths),
        "classes": size,
        "pairs": outcomes(run).ravel().tolist(),
        "rows": np.stack(columns, 1).ravel().tolist() if len(keys) else [],
        "slices": [{"name": s.name, "values": s.values, "codes": s.codes.tolist()} for s in sliced],
    }
