"""A detector's answer about one photo. No PyTorch: bundles give it as well."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from osprey.imaging import Preprocess
from osprey.imaging.boxes import Boxes, Detections, clip

UNCHOSEN = 0.5  # the threshold of a checkpoint for which none was chosen on validation
COLUMNS = ("file", "label", "score", "x", "y", "w", "h", "failure")


@dataclass(frozen=True)
class BoxPrediction:
    """The detections on one file, or why it could not be read.

    Attributes:
        file: The photo's path as given.
        width: Pixels of the photo as shown; 0 where it cannot be read.
        height: Likewise.
        detections: Boxes in the photo's pixels, or None where it cannot be read.
        failure: Why the file cannot be read, or None.
    """

    file: str
    width: int
    height: int
    detections: Detections | None
    failure: str | None = None

    def boxes(self, classes: Sequence[str]) -> list[dict[str, Any]]:
        """Each box as plain data: label, score, box ``[x, y, w, h]`` in pixels."""
        found = self.detections
        if found is None:
            return []
        return [
            {"label": classes[label], "score": round(score, 6), "box": sides(box)}
            for box, score, label in zip(
                found.boxes, found.scores.tolist(), found.labels.tolist(), strict=True
            )
        ]

    def record(self, classes: Sequence[str]) -> dict[str, Any]:
        """The prediction as plain data: file and detections, or file and failure."""
        if self.failure is not None:
            return {"file": self.file, "failure": self.failure}
        return {"file": self.file, "detections": self.boxes(classes)}

    def labels(self, classes: Sequence[str]) -> list[str]:
        """The label of each box."""
        return [box["label"] for box in self.boxes(classes)]

    def ranked(self, classes: Sequence[str]) -> list[list[Any]]:
        """Label, score and box of each box, highest score first."""
        return [[box["label"], round(box["score"], 4), box["box"]] for box in self.boxes(classes)]

    def rows(self, classes: Sequence[str]) -> list[list[Any]]:
        """A row a box with `COLUMNS`; of a photo without boxes one that names it alone."""
        found = [[b["label"], b["score"], *b["box"], ""] for b in self.boxes(classes)]
        none = [*[""] * (len(COLUMNS) - 2), self.failure or ""]
        return [[self.file, *row] for row in found or [none]]


def sides(corners: NDArray[np.float32]) -> list[float]:
    """Corners ``x, y, x2, y2`` as ``[x, y, w, h]``, rounded to hundredths of a pixel."""
    x, y, right, bottom = (float(value) for value in corners)
    return [round(value, 2) for value in (x, y, right - x, bottom - y)]


def on_photo(boxes: Boxes, width: int, height: int, preprocess: Preprocess) -> Boxes:
    """Map boxes from the model's input to the photo, clipped at its borders.

    Args:
        boxes: float32 [N, 4], corners in input pixels.
        width: Of the photo in pixels.
        height: Likewise.
        preprocess: How the photo became input.

    Returns:
        float32 [N, 4], corners in pixels of the photo.
    """
    return clip(preprocess.place(height, width).to_photo(boxes), width, height)


def above(found: Detections, thresholds: NDArray[np.float32]) -> Detections:
    """The boxes that have an area and the score that their class needs.

    Args:
        found: Of one photo.
        thresholds: float32 [C], lowest score of each class.
    """
    flat = (found.boxes[:, 2:] <= found.boxes[:, :2]).any(axis=1)
    kept = (found.scores >= thresholds[found.labels]) & ~flat
    return Detections(found.boxes[kept], found.scores[kept], found.labels[kept])
