"""Recognition in two steps: a detector says where, a classifier says what."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from osprey.data.box_column import NOTHING
from osprey.errors import UnreadableImage
from osprey.imaging import read_image
from osprey.imaging.cropping import cut
from osprey.imaging.size import turn
from osprey.tasks.classification.predictor import Predictor
from osprey.tasks.detection.predictor import BoxPrediction, BoxPredictor

_TOP = 5  # classes told of each box
_AT_ONCE = 32  # crops, or photos whose crops are in memory
Ranked = list[tuple[str, float]]


@dataclass(frozen=True)
class Recognised:
    """What two steps say of one file.

    Attributes:
        prediction: The detector's.
        probabilities: The classifier's, float32 [N, C], a row a box; of a photo without any, one
            row of the whole photo where that was asked for.
    """

    prediction: BoxPrediction
    probabilities: NDArray[np.float32]

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


def _ranked(probabilities: NDArray[np.float32], classes: Sequence[str]) -> Ranked:
    order = np.argsort(-probabilities, kind="stable")[:_TOP]
    return [(classes[i], round(float(probabilities[i]), 6)) for i in order]


class TwoStep:
    """A detector and a classifier, one after the other.

    Args:
        detector: Finds the boxes.
        classifier: Names what is in each.
        margin: Room left around a box, as a share of it.
        fallback: The classifier is asked of the whole photo where no box is found.
    """

    def __init__(
        self,
        detector: BoxPredictor,
        classifier: Predictor,
        margin: float = 0.1,
        fallback: bool = False,
    ) -> None:
        self.detector, self.classifier = detector, classifier
        self.margin, self.fallback = margin, fallback

    def predict(self, files: Iterable[Path]) -> Iterator[Recognised]:
        """Yield one answer a file, in order."""
        for answer, _ in self.predict_opened(files):
            yield answer

    def predict_opened(
        self, files: Iterable[Path]
    ) -> Iterator[tuple[Recognised, NDArray[np.uint8] | None]]:
        """The same, with the photo's pixels at full size where they are at hand."""
        found = self.detector.predict_opened(files)
        with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
            while chunk := list(islice(found, _AT_ONCE)):
                opened = list(pool.map(self._pieces, chunk))
                pieces = [[] if isinstance(item, str) else item for item in opened]
                flat = [piece for photo in pieces for piece in photo]
                answers = [
                    self.classifier.probabilities(np.stack(flat[at : at + _AT_ONCE]))
                    for at in range(0, len(flat), _AT_ONCE)
                ]
                empty = np.zeros((0, len(self.classifier.classes)), np.float32)
                rows = np.concatenate([empty, *answers])
                ends = np.cumsum([len(photo) for photo in pieces])
                parts = np.split(rows, ends[:-1])
                for (prediction, pixels), item, part in zip(chunk, opened, parts, strict=True):
                    if isinstance(item, str):
                        prediction, pixels = BoxPrediction(prediction.file, 0, 0, None, item), None
                    yield Recognised(prediction, part), pixels

    def _pieces(
        self, found: tuple[BoxPrediction, NDArray[np.uint8] | None]
    ) -> list[NDArray[np.uint8]] | str:
        """The classifier's inputs of one photo, or why it cannot be read any more."""
        try:
            return self._inputs(*found)
        except UnreadableImage as error:
            return str(error)

    def _inputs(
        self, prediction: BoxPrediction, pixels: NDArray[np.uint8] | None
    ) -> list[NDArray[np.uint8]]:
        """Its boxes, or by choice the whole."""
        if prediction.detections is None:
            return []
        if not len(prediction.detections):
            if not self.fallback:
                return []
            side = self.classifier.preprocess.decode_side
            return [self.classifier.preprocess(read_image(Path(prediction.file), min_side=side))]
        with turn(prediction.width, prediction.height):
            full = read_image(Path(prediction.file)) if pixels is None else pixels
            return [
                self.classifier.preprocess(cut(full, box, self.margin))
                for box in prediction.detections.boxes
            ]
