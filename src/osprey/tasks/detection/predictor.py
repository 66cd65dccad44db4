"""Detect objects on photos, with the decoder and preprocessing the detector was tested with."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from osprey.errors import UnreadableImage
from osprey.imaging import JPEG_SUFFIXES, Preprocess, image_size
from osprey.imaging.boxes import Detections
from osprey.imaging.size import turn
from osprey.models.checkpoint import load_model
from osprey.system.ahead import batches_ahead
from osprey.tasks.detection.placing import on_photos
from osprey.tasks.detection.plugin import DetectionTask
from osprey.tasks.detection.prediction import UNCHOSEN, BoxPrediction, above
from osprey.tasks.registry import check_task

_KEPT = 1_000_000  # pixels of a photo that waits decoded; a larger one is decoded again


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
        return [above(photo, self.thresholds) for photo in found]

    def predict(self, files: Iterable[Path], batch_size: int = 16) -> Iterator[BoxPrediction]:
        """Yield one prediction per file, in order, with constant memory."""
        for prediction, _ in self.predict_opened(files, batch_size):
            yield prediction

    def predict_opened(
        self, files: Iterable[Path], batch_size: int = 16
    ) -> Iterator[tuple[BoxPrediction, NDArray[np.uint8] | None]]:
        """Like `predict`, with the photo's pixels at full size if they are in memory, else None."""
        for chunk in batches_ahead(files, self._open, batch_size):
            good = [item for _, item in chunk if isinstance(item, Opened)]
            sizes = [(item.width, item.height) for item in good]
            found = iter(self.find(np.stack([i.pixels for i in good]), sizes) if good else ())
            for file, item in chunk:
                if isinstance(item, Opened):
                    answer = BoxPrediction(str(file), item.width, item.height, next(found))
                    yield answer, item.photo
                else:
                    yield BoxPrediction(str(file), 0, 0, None, item), None

    def _open(self, file: Path) -> Opened | str:
        try:
            width, height = image_size(file)
            scaled = file.suffix.lower() in JPEG_SUFFIXES  # a fraction of its size is decoded
            with nullcontext() if scaled else turn(width, height):
                photo = self.preprocess.open(file)
                pixels = self.preprocess(photo)
        except UnreadableImage as error:
            return str(error)
        kept = photo.shape[:2] == (height, width) and width * height <= _KEPT
        return Opened(pixels, width, height, photo if kept else None)
