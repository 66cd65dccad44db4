"""A detector on video frames."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice

import numpy as np

from osprey.imaging.boxes import Detections
from osprey.imaging.video import Frame
from osprey.tasks.detection.predictor import BoxPredictor

_AT_ONCE = 8  # frames of a file in one batch


def watch(
    predictor: BoxPredictor, frames: Iterable[Frame], at_once: int = _AT_ONCE
) -> Iterator[tuple[Frame, Detections]]:
    """Detect objects on each frame.

    Args:
        predictor: The detector.
        frames: The frames.
        at_once: Frames per batch.

    Yields:
        Each frame with its detections, in order.
    """
    remaining = iter(frames)
    while chunk := list(islice(remaining, at_once)):
        sizes = [(frame.pixels.shape[1], frame.pixels.shape[0]) for frame in chunk]
        inputs = np.stack([predictor.preprocess(frame.pixels) for frame in chunk])
        yield from zip(chunk, predictor.find(inputs, sizes), strict=True)
