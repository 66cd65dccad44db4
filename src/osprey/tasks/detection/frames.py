"""A detector on video frames, all of them or in real time."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from itertools import islice

import numpy as np

from osprey.imaging.boxes import Detections
from osprey.imaging.video import Frame
from osprey.tasks.detection.predictor import BoxPredictor

_AT_ONCE = 8  # frames of a file in one batch


class Pace:
    """Passes frames on in real time and drops those that are late.

    Attributes:
        skipped: Number of frames dropped so far.

    Args:
        wait: Also delay frames that come early, as those of a file do.
        clock: Returns seconds, such as ``time.monotonic``.
        sleep: Waits so many seconds.
    """

    def __init__(
        self,
        wait: bool,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.wait, self.clock, self.sleep = wait, clock, sleep
        self.skipped = 0

    def keep(self, frames: Iterable[Frame], rate: float) -> Iterator[Frame]:
        """Yield the frames that are on time.

        Args:
            frames: Frames with their times.
            rate: Frames per second; a frame is late when the next one is due.

        Yields:
            The frames, in order.
        """
        started = None
        for frame in frames:
            now = self.clock()
            started = now - frame.time if started is None else started
            late = now - started - frame.time
            if late > 1 / rate:  # the next frame is due already
                self.skipped += 1
                continue
            if late < 0 and self.wait:
                self.sleep(-late)
            yield frame


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
