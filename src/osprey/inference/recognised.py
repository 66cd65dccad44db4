"""What a detector and a classifier say of one photo: boxes with species. No PyTorch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from osprey.imaging.boxes import NOTHING, Detections
from osprey.inference.reader import UNKNOWN

_TOP = 5  # classes told of each box
Ranked = list[tuple[str, float]]


class Located(Protocol):
    """A detector's answer about one photo."""

    @property
    def file(self) -> str:
        """The file, or what else it was called."""
        ...

    @property
    def width(self) -> int:
        """Of the photo in pixels, EXIF orientation applied."""
        ...

    @property
    def height(self) -> int:
        """Likewise."""
        ...

    @property
    def detections(self) -> Detections | None:
        """Boxes in the photo's pixels, or None where it cannot be read."""
        ...

    @property
    def failure(self) -> str | None:
        """Why the photo cannot be read, or None."""
        ...

    def boxes(self, classes: Sequence[str]) -> list[dict[str, Any]]:
        """Each box as plain data: ``label``, ``score``, ``box``."""
        ...


@dataclass(frozen=True)
class Recognised:
    """What two steps say of one file.

    Attributes:
        prediction: The detector's.
        probabilities: The classifier's, float32 [N, C], a row a box; of a photo without any, one
            row of the whole photo where that was asked for.
        detected: The detector's class names, for `record` and what follows it.
        unknown_below: A score below which a label is "unknown".
    """

    columns: ClassVar[tuple[str, ...]] = (
        *("file", "label", "score", "x", "y", "w", "h"),
        *("detected", "detected_score", "failure"),
    )
    prediction: Located
    probabilities: NDArray[np.float32]
    detected: Sequence[str] = ()
    unknown_below: float = 0.0

    @property
    def file(self) -> str:
        """The file, or what else it was called."""
        return self.prediction.file

    @property
    def failure(self) -> str | None:
        """Why the file cannot be read, or None."""
        return self.prediction.failure

    def species(self, classes: Sequence[str]) -> list[Ranked]:
        """Of each box the classifier's classes, most likely first."""
        boxes = len(self.prediction.detections or ())
        return [_ranked(row, classes) for row in self.probabilities[:boxes]]

    def summary(self, classes: Sequence[str]) -> tuple[str, float]:
        """The photo's label and score: the boxes' probabilities, weighted by the boxes' scores.

        Where nothing was found, `NOTHING` with a score of 0.
        """
        if not len(self.probabilities):
            return NOTHING, 0.0
        found = self.prediction.detections
        weights = found.scores if found is not None and len(found) else None
        mean = np.average(self.probabilities, axis=0, weights=weights)
        return _ranked(mean, classes)[0]

    def record(self, classes: Sequence[str]) -> dict[str, Any]:
        """As plain data: file, label and score of the photo, detections with classifications.

        Args:
            classes: The classifier's.

        Returns:
            Plain data; a box whose best class scores too low has ``unknown`` beside it.
        """
        if self.failure is not None:
            return {"file": self.file, "failure": self.failure}
        boxes = self.prediction.boxes(self.detected)
        for box, ranked in zip(boxes, self.species(classes), strict=True):
            box["classifications"] = [list(pair) for pair in ranked]
            if ranked[0][1] < self.unknown_below:
                box["unknown"] = True
        label, score = self.summary(classes)
        if len(self.probabilities) and score < self.unknown_below:
            label = UNKNOWN
        return {"file": self.file, "label": label, "score": score, "detections": boxes}

    def labels(self, classes: Sequence[str]) -> list[str]:
        """The species of each box; of a photo named as a whole its label."""
        return [label for label, *_ in self.ranked(classes)]

    def ranked(self, classes: Sequence[str]) -> list[list[Any]]:
        """Species, its probability and the box; of a photo named as a whole label and score."""
        record = self.record(classes)
        return ranked_of(record) if "failure" not in record else []

    def rows(self, classes: Sequence[str]) -> list[list[Any]]:
        """A row a box with ``columns``; of a photo without boxes one with its label and score."""
        if self.failure is not None:
            return [[self.file, *[""] * (len(self.columns) - 2), self.failure]]
        record = self.record(classes)
        rows = [
            [self.file, *named(box), *box["box"], box["label"], box["score"], ""]
            for box in record["detections"]
        ]
        alone = [self.file, record["label"], record["score"], *[""] * (len(self.columns) - 3)]
        return rows or [alone]


def named(box: Mapping[str, Any]) -> tuple[str, float]:
    """What a record's box is called, and how surely: its species where it has one."""
    if "classifications" not in box:
        return box["label"], box["score"]
    label, score = box["classifications"][0]
    return UNKNOWN if box.get("unknown") else label, score


def ranked_of(record: Mapping[str, Any]) -> list[list[Any]]:
    """A record's boxes as name, score and box; of a photo named as a whole its label and score."""
    boxes = [[*named(box), box["box"]] for box in record["detections"]]
    for box in boxes:
        box[1] = round(box[1], 4)
    if not boxes and record.get("score", 0) > 0:  # of nothing at all it is 0
        return [[record["label"], round(record["score"], 4)]]
    return boxes


def _ranked(probabilities: NDArray[np.float32], classes: Sequence[str]) -> Ranked:
    order = np.argsort(-probabilities, kind="stable")[:_TOP]
    return [(classes[i], round(float(probabilities[i]), 6)) for i in order]
