"""Detect objects on photos, with the decoder and preprocessing the detector was tested with."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from osprey.errors import UnreadableImage
from osprey.imaging import JPEG_SUFFIXES, Preprocess, image_size, read_image
from osprey.imaging.boxes import Detections
from osprey.imaging.size import turn
from osprey.models.checkpoint import load_model
from osprey.tasks.detection.outputs import UNCHOSEN
from osprey.tasks.detection.placing import on_photos
from osprey.tasks.detection.plugin import DetectionTask
from osprey.tasks.registry import check_task

_AHEAD = 2  # batches decoded while the network is at work
_KEPT = 1_000_000  # pixels of a photo that waits decoded; a larger one is decoded again


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


def sides(corners: NDArray[np.float32]) -> list[float]:
    """Corners ``x, y, x2, y2`` as ``[x, y, w, h]``, rounded to hundredths of a pixel."""
    x, y, right, bottom = (float(value) for value in corners)
    return [round(value, 2) for value in (x, y, right - x, bottom - y)]


@dataclass(frozen=True)
class Opened:
    """One decoded photo.

    Attributes:
        pixels: uint8 [S, S, 3], the detector's input.
        width: Of the photo in pixels, EXIF orientation applied.
        height: Likewise.
        photo: The photo at full size, if it was decoded so and is small enough to keep.
    """

    pixels: NDArray[np.uint8]
    width: int
    height: int
    photo: NDArray[np.uint8] | None


class BoxPredictor:
    """A trained detector with its preprocessing.

    Args:
        checkpoint: A detector's checkpoint.
        device: Device to compute on; default the CPU.
        min_score: Lowest score of a box, 0 to 1; None for each class's own threshold.

    Raises:
        CheckpointError: The checkpoint is refused, or is not a detector's.
    """

    def __init__(
        self,
        checkpoint: Path,
        device: torch.device | None = None,
        min_score: float | None = None,
    ) -> None:
        model, self.metadata = load_model(checkpoint)
        task = DetectionTask()
        check_task(self.metadata.task, task, checkpoint)
        task.check_checkpoint(self.metadata, checkpoint)
        self.device = device or torch.device("cpu")
        self.model = model.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.preprocess = Preprocess.from_dict(self.metadata.preprocess)
        self.classes = self.metadata.classes
        chosen = self.metadata.thresholds or [UNCHOSEN] * len(self.classes)
        least = chosen if min_score is None else [min_score] * len(self.classes)
        self.thresholds = np.array(least, dtype=np.float32)

    def find(self, inputs: NDArray[np.uint8], sizes: Sequence[tuple[int, int]]) -> list[Detections]:
        """Detect objects above the thresholds.

        Args:
            inputs: Preprocessed photos, uint8 [N, S, S, 3].
            sizes: Width and height of each photo in pixels.

        Returns:
            One entry per photo, boxes in pixels of the photo.
        """
        images = torch.from_numpy(self.preprocess.normalise(inputs)).to(self.device)
        with torch.inference_mode():
            answers = self.model(images)
        found = on_photos(answers, torch.tensor(sizes), self.preprocess)
        return [self._above(photo) for photo in found]

    def _above(self, found: Detections) -> Detections:
        flat = (found.boxes[:, 2:] <= found.boxes[:, :2]).any(axis=1)
        kept = (found.scores >= self.thresholds[found.labels]) & ~flat
        return Detections(found.boxes[kept], found.scores[kept], found.labels[kept])

    def predict(self, files: Iterable[Path], batch_size: int = 16) -> Iterator[BoxPrediction]:
        """Yield one prediction per file, in order, with constant memory."""
        for prediction, _ in self.predict_opened(files, batch_size):
            yield prediction

    def predict_opened(
        self, files: Iterable[Path], batch_size: int = 16
    ) -> Iterator[tuple[BoxPrediction, NDArray[np.uint8] | None]]:
        """Like `predict`, with the photo's pixels at full size if they are in memory, else None."""
        for chunk in self._batches(files, batch_size):
            good = [item for _, item in chunk if isinstance(item, Opened)]
            sizes = [(item.width, item.height) for item in good]
            found = iter(self.find(np.stack([i.pixels for i in good]), sizes) if good else ())
            for file, item in chunk:
                if isinstance(item, Opened):
                    answer = BoxPrediction(str(file), item.width, item.height, next(found))
                    yield answer, item.photo
                else:
                    yield BoxPrediction(str(file), 0, 0, None, item), None

    def _batches(
        self, files: Iterable[Path], batch_size: int
    ) -> Iterator[list[tuple[Path, Opened | str]]]:
        """Batches of opened photos; the next ones are decoded while the caller works."""
        remaining = iter(files)
        coming: deque[list[tuple[Path, Future[Opened | str]]]] = deque()
        with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
            try:
                while True:
                    while len(coming) < _AHEAD:
                        chunk = list(islice(remaining, batch_size))
                        if not chunk:
                            break
                        coming.append([(file, pool.submit(self._open, file)) for file in chunk])
                    if not coming:
                        return
                    yield [(file, opened.result()) for file, opened in coming.popleft()]
            finally:
                pool.shutdown(cancel_futures=True)

    def _open(self, file: Path) -> Opened | str:
        try:
            width, height = image_size(file)
            scaled = file.suffix.lower() in JPEG_SUFFIXES  # a fraction of its size is decoded
            with nullcontext() if scaled else turn(width, height):
                photo = read_image(file, min_side=self.preprocess.decode_side)
                pixels = self.preprocess(photo)
        except UnreadableImage as error:
            return str(error)
        kept = photo.shape[:2] == (height, width) and width * height <= _KEPT
        return Opened(pixels, width, height, photo if kept else None)
