"""Frames out of a video or a camera, and frames into a video, through PyAV."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from osprey.errors import UnreadableImage, UserError
from osprey.imaging.decode_errors import one_line

_CAMERAS = {"linux": ("v4l2", "/dev/video{}"), "darwin": ("avfoundation", "{}")}
_USUAL_RATE = Fraction(25)


@dataclass(frozen=True)
class Frame:
    """One video frame.

    Attributes:
        number: Counted from 0 in display order.
        time: Seconds since the first frame.
        pixels: uint8 [H, W, 3], RGB, upright.
    """

    number: int
    time: float
    pixels: NDArray[np.uint8]


def library() -> Any:
    """Import PyAV, its logging silenced.

    Raises:
        UserError: PyAV is not installed.
    """
    try:
        import av
    except ImportError:
        raise UserError("video needs PyAV: pip install 'osprey-vision[video]'") from None
    av.logging.set_level(av.logging.PANIC)  # damage is counted, not logged line by line
    return av


class Video:
    """A video file or a camera, to be read once from its beginning.

    Attributes:
        said: Number of frames according to the header; 0 where it does not say.
        rate: Frames per second.
        damaged: Number of packets so far that could not be decoded.

    Args:
        name: Its name in errors.
        container: The PyAV container.

    Raises:
        UnreadableImage: It has no video stream.
    """

    def __init__(self, name: str, container: Any) -> None:
        self.name, self.container = name, container
        if not container.streams.video:
            raise UnreadableImage(f"{name}: there is no video in it")
        self.stream = container.streams.video[0]
        self.stream.thread_type = "AUTO"
        self.said = int(self.stream.frames or 0)
        self.rate = Fraction(self.stream.average_rate or self.stream.guessed_rate or _USUAL_RATE)
        self.damaged = 0

    def __iter__(self) -> Iterator[Frame]:
        """Yield every frame that can be decoded."""
        av = library()
        number, first = 0, None
        packets = self.container.demux(self.stream)
        while True:
            try:
                packet = next(packets)
                frames = packet.decode()
            except StopIteration:
                return
            except av.error.EOFError:
                return
            except av.error.FFmpegError:
                self.damaged += 1
                if self.damaged > 1000 and not number:
                    return  # a camera that is gone, or a file of noise
                continue
            for frame in frames:
                time = frame.time if frame.time is not None else float(number / self.rate)
                first = time if first is None else first
                pixels = np.rot90(frame.to_ndarray(format="rgb24"), round(frame.rotation / 90))
                yield Frame(number, max(0.0, time - first), np.ascontiguousarray(pixels))
                number += 1

    def close(self) -> None:
        """Close the file or the camera."""
        self.container.close()


def open_video(path: Path) -> Video:
    """Open a video file.

    Raises:
        UnreadableImage: It is missing, damaged at its start, or no video.
        UserError: PyAV is not installed.
    """
    av, label = library(), one_line(str(path))
    if not path.is_file():
        raise UnreadableImage(f"{label}: no such file")
    try:
        return Video(label, av.open(os.fspath(path), metadata_errors="ignore"))
    except (av.error.FFmpegError, ValueError) as error:
        raise UnreadableImage(f"{label}: cannot be read as a video ({reason_of(error)})") from None


def open_camera(number: int) -> Video:
    """Open a camera by its number.

    Raises:
        UnreadableImage: There is no such camera.
        UserError: PyAV is not installed.
    """
    av = library()
    form, pattern = _CAMERAS.get(sys.platform, ("dshow", "video={}"))
    name = f"camera {number}"
    try:
        return Video(name, av.open(pattern.format(number), format=form))
    except (av.error.FFmpegError, ValueError) as error:
        raise UnreadableImage(f"{name}: cannot be opened ({reason_of(error)})") from None


def reason_of(error: Exception) -> str:
    """FFmpeg's reason in one line."""
    return one_line(str(getattr(error, "strerror", None) or error))


class VideoWriter:
    """Write an MP4 file, H.264 where FFmpeg can write that, else MPEG-4.

    Args:
        path: Destination.
        rate: Frames per second.
    """

    def __init__(self, path: Path, rate: Fraction) -> None:
        av = library()
        self.rate = rate.limit_denominator(1001)
        self.container = av.open(os.fspath(path), "w", format="mp4")
        codec = "libx264" if "libx264" in av.codecs_available else "mpeg4"
        self.stream = self.container.add_stream(codec, rate=self.rate)
        self.stream.pix_fmt = "yuv420p"
        self.size: tuple[int, int] | None = None

    def write(self, pixels: NDArray[np.uint8], number: int) -> None:
        """Append a frame.

        Args:
            pixels: uint8 [H, W, 3], RGB; cropped or padded to the first frame's size, its sides
                made even.
            number: The frame is shown from ``number / rate`` seconds on.
        """
        av = library()
        if self.size is None:  # 4:2:0 chroma subsampling needs even sides
            self.size = max(2, pixels.shape[1] // 2 * 2), max(2, pixels.shape[0] // 2 * 2)
            self.stream.width, self.stream.height = self.size
        width, height = self.size
        if pixels.shape[0] < height or pixels.shape[1] < width:
            pixels = np.pad(pixels, ((0, height), (0, width), (0, 0)))  # a stream that shrank
        frame = av.VideoFrame.from_ndarray(
            np.ascontiguousarray(pixels[:height, :width]), format="rgb24"
        )
        frame.pts, frame.time_base = number, 1 / self.rate
        self.container.mux(self.stream.encode(frame))

    def close(self) -> None:
        """Finish the file."""
        if self.size is not None:
            self.container.mux(self.stream.encode(None))
        self.container.close()
