"""Photos of a tested split that are most worth inspecting."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

_EACH = 24


@dataclass(frozen=True)
class Pick:
    """One photo to inspect.

    Attributes:
        kind: ``worst`` (wrong with high probability) or ``doubtful`` (two classes nearly equal).
        row: Its row in the table of predictions.
        path: Its file, relative to the data's root.
        label: The true class.
        predicted: The predicted class.
        score: Its probability.
        second: The class with the second highest probability.
        margin: Probability of the predicted class minus that of the second.
    """

    kind: str
    row: int
    path: str
    label: str
    predicted: str
    score: float
    second: str
    margin: float

    def to_dict(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self)


def pick(predictions: Path, classes: list[str]) -> list[Pick]:
    """Up to 24 worst mistakes, then up to 24 of the other photos with the smallest margin.

    Args:
        predictions: The CSV table of one split (`write_predictions`).
        classes: Class names in the order of its probability columns.

    Returns:
        The photos, worst mistakes first.
    """
    table = pd.read_csv(predictions, keep_default_na=False, dtype={"path": str, "label": str})
    p = table.iloc[:, 4:].to_numpy(float)
    rows = np.arange(len(p))
    first = p.argmax(axis=1)
    rest = p.copy()
    rest[rows, first] = -1.0
    second = rest.argmax(axis=1)
    margin = p[rows, first] - p[rows, second]
    labels = table["label"].to_numpy()
    wrong = np.array(classes, dtype=object)[first] != labels
    by_score = np.lexsort((rows, -p[rows, first]))
    worst = by_score[wrong[by_score]][:_EACH]
    by_margin = np.lexsort((rows, margin))
    doubtful = by_margin[~np.isin(by_margin, worst)][:_EACH]
    return [
        Pick(
            kind=kind,
            row=int(row),
            path=str(table["path"].iloc[row]),
            label=str(labels[row]),
            predicted=classes[first[row]],
            score=round(float(p[row, first[row]]), 6),
            second=classes[second[row]],
            margin=round(float(margin[row]), 6),
        )
        for kind, chosen in (("worst", worst), ("doubtful", doubtful))
        for row in chosen
    ]
