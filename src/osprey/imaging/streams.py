"""Cameras and addresses that go on: opened again when they end, several at once."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from fractions import Fraction

from osprey.errors import UnreadableImage
from osprey.imaging.video import Frame, Video

_FIRST, _MOST = 1.0, 60.0  # seconds before a stream is opened again; doubled each time
_PATIENCE = 12.0  # seconds for a thread that waits for its next frame to see that all is over


class Stream:
    """A camera or an address, opened again when it ends, with pauses that double.

    The first time it is opened at once, so that a wrong name is told.

    Attributes:
        name: What to call it.
        rate: Frames per second.
        restarts: How often it was opened again and gave a frame.

    Args:
        opens: Opens it.
        stopped: Waits so many seconds; true where that was cut short, and the stream is to end.
        say: Told, in a line, when it ends and when it is there again.
        clock: Returns seconds.

    Raises:
        UnreadableImage: It cannot be opened.
    """

    def __init__(
        self,
        opens: Callable[[], Video],
        stopped: Callable[[float], bool],
        say: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._opens, self._stopped, self._say, self._clock = opens, stopped, say, clock
        self._video: Video | None = opens()
        self.name, self.rate = self._video.name, Fraction(self._video.rate)
        self.restarts = 0

    def __iter__(self) -> Iterator[Frame]:
        """Yield its frames, counted on over every end, their time by the clock."""
        number, started, pause = 0, self._clock(), _FIRST
        while True:
            video, self._video = self._video, None
            if video is not None:
                first = number
                try:
                    for frame in video:
                        if number == first and first:
                            self.restarts += 1
                            self._say(f"{self.name}: is there again")
                        yield replace(frame, number=number, time=self._clock() - started)
                        number, pause = number + 1, _FIRST
                finally:
                    video.close()
                self._say(f"{self.name}: has ended; opened again in {pause:g} s")
            if self._stopped(pause):
                return
            pause = min(2 * pause, _MOST)
            self._video = self._again()

    def _again(self) -> Video | None:
        try:
            return self._opens()
        except UnreadableImage:  # still away, which was said
            return None

    def close(self) -> None:
        """Close what is open and was not read."""
        if self._video is not None:
            self._video.close()


class Cameras:
    """The newest frames of several streams, each read in a thread of its own.

    Attributes:
        skipped: Frames that a newer one took the place of before anybody asked.

    Args:
        streams: All of them.
        stop: Set when the reading is to end; what the streams' ``stopped`` waits for.
    """

    def __init__(self, streams: Sequence[Stream], stop: threading.Event) -> None:
        self.streams, self.skipped = streams, 0
        self._stop = stop
        self._newest: dict[int, Frame] = {}
        self._left = len(streams)
        self._error: BaseException | None = None
        self._changed = threading.Condition()
        self._threads = [
            threading.Thread(target=self._read, args=(number,), daemon=True)
            for number in range(len(streams))
        ]

    def __iter__(self) -> Iterator[list[tuple[int, Frame]]]:
        """Yield what is new, each frame with its stream's number, until all streams end."""
        for thread in self._threads:
            thread.start()
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._newest or self._error or not self._left)
                found, self._newest = self._newest, {}
            if found:
                yield sorted(found.items())
            elif self._error is not None:
                raise self._error
            else:
                return

    def close(self) -> None:
        """End all threads."""
        self._stop.set()
        for thread in self._threads:
            if thread.ident is not None:
                thread.join(_PATIENCE)
        for stream in self.streams:
            stream.close()

    def _read(self, number: int) -> None:
        error: BaseException | None = None
        try:
            for frame in self.streams[number]:
                with self._changed:
                    self.skipped += number in self._newest
                    self._newest[number] = frame
                    self._changed.notify()
                if self._stop.is_set():
                    break
        except BaseException as found:  # raised again where the frames are asked for
            error = found
        with self._changed:
            self._left -= 1
            self._error = self._error or error
            self._changed.notify()
