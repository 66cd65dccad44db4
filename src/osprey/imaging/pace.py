"""Frames in real time: those that come early wait, those that are late are left out."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator

from osprey.imaging.video import Frame


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
