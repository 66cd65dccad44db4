"""Recognition in two steps: a detector says where, a classifier says what."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from osprey.errors import UnreadableImage
from osprey.imaging import Preprocess, read_image
from osprey.imaging.cropping import cut
from osprey.imaging.size import turn
from osprey.inference.recognised import Recognised
from osprey.inference.two_step import MARGIN
from osprey.tasks.classification.predictor import Predictor
from osprey.tasks.detection.prediction import BoxPrediction

_AT_ONCE = 32  # crops, or photos whose crops are in memory


class BoxFinder(Protocol):
    """What finds the boxes: a detector's checkpoint, or its bundle."""

    @property
    def classes(self) -> list[str]:
        """Names of what it finds."""
        ...

    @property
    def preprocess(self) -> Preprocess:
        """How a photo becomes its input."""
        ...

    def predict_opened(
        self, files: Iterable[Path], /
    ) -> Iterator[tuple[BoxPrediction, NDArray[np.uint8] | None]]:
        """The boxes of each file, with its pixels at full size where they are at hand."""
        ...


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
        detector: BoxFinder,
        classifier: Predictor,
        margin: float = MARGIN,
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
                    yield Recognised(prediction, part, self.detector.classes), pixels

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
            form = self.classifier.preprocess
            return [form(form.open(Path(prediction.file)))]
        with turn(prediction.width, prediction.height):
            ends = self.classifier.preprocess.value_range
            if pixels is None or ends != self.detector.preprocess.value_range:
                pixels = read_image(Path(prediction.file), value_range=ends)
            return [
                self.classifier.preprocess(cut(pixels, box, self.margin))
                for box in prediction.detections.boxes
            ]
