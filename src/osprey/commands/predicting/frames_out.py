"""Answers about frames: a line each, and a video with the answers drawn on it."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from fractions import Fraction
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from osprey.imaging.drawing import draw_boxes
from osprey.imaging.live import live_stems
from osprey.imaging.video import Frame, VideoWriter
from osprey.inference.recognised import named
from osprey.system.outputs import followed, is_standard_output, is_stream, own_path
from osprey.system.own_files import remember


@contextmanager
def lines_to(arguments: argparse.Namespace) -> Iterator[IO[str] | None]:
    """Where the records go: JSON lines; into a file of a video's, whole or not at all."""
    if not arguments.output:
        yield None
        return
    if is_standard_output(arguments.output):
        yield sys.stdout
        return
    if is_stream(arguments.output):  # a device or a pipe: who reads there waits for each line
        with Path(arguments.output).open("w", encoding="utf-8", buffering=1) as file:
            yield file
        return
    target = followed(arguments.output)
    if arguments.camera:  # it has no end: what is answered can be read while it goes on
        with target.open("w", encoding="utf-8", buffering=1) as file:
            yield file
        remember(target, target)
        return
    with (
        own_path(target, "--output", force=arguments.force) as partial,
        partial.open("w", encoding="utf-8") as file,
    ):
        yield file


def write(lines: IO[str] | None, frame: Frame, record: dict[str, Any], **more: str) -> None:
    """Write one frame's record as a line, where lines are wanted; a camera's at once."""
    if lines is None:
        return
    told = {**more, "frame": frame.number, "time": round(frame.time, 3), **record}
    lines.write(json.dumps(told, ensure_ascii=False) + "\n")
    if more:
        lines.flush()


def pictures(arguments: argparse.Namespace) -> list[Path | None]:
    """The drawn video of each source; never the video itself."""
    sources = arguments.camera or [arguments.video]
    if not arguments.save_dir:
        return [None] * len(sources)
    folder = Path(arguments.save_dir)
    if arguments.camera:
        return [folder / f"{stem}.mp4" for stem in live_stems(sources)]
    source = Path(arguments.video)
    beside = folder.resolve() in (source.resolve().parent, source.parent.resolve())
    return [folder / f"{source.stem}{'_boxes' if beside else ''}.mp4"]


class DrawnVideo:
    """A video of drawn frames, begun with the first: a camera that never gave one has none.

    Args:
        path: Its place, in a folder that exists.
        rate: Frames per second.
        force: Whatever is there may be replaced.
    """

    def __init__(self, path: Path, rate: Fraction, *, force: bool) -> None:
        self._path, self._rate, self._force = path, rate, force
        self._stack = ExitStack()
        self._writer: VideoWriter | None = None

    def write(self, pixels: NDArray[np.uint8], number: int) -> None:
        """Append a frame; see `VideoWriter.write`."""
        if self._writer is None:
            place = own_path(self._path, "--save-dir", force=self._force)
            self._writer = VideoWriter(self._stack.enter_context(place), self._rate)
            self._stack.callback(self._writer.close)
        self._writer.write(pixels, number)

    def finish(self) -> None:
        """Put it in its place."""
        self._stack.close()

    def discard(self, error: BaseException) -> None:
        """Leave nothing of it, because of an error."""
        with suppress(Exception):
            self._stack.__exit__(type(error), error, error.__traceback__)


@contextmanager
def drawing(
    arguments: argparse.Namespace, rates: Iterable[Fraction]
) -> Iterator[list[DrawnVideo | None]]:
    """Each drawn video, which takes its place when all frames are in it."""
    pairs = list(zip(pictures(arguments), rates, strict=True))
    for path, _ in pairs:
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
    videos = [
        None if path is None else DrawnVideo(path, rate, force=arguments.force)
        for path, rate in pairs
    ]
    drawn = [video for video in videos if video is not None]
    try:
        yield videos
    except BaseException as error:
        for video in drawn:
            video.discard(error)
        raise
    failures = []
    for video in drawn:  # what fails of one camera costs the others nothing
        try:
            video.finish()
        except Exception as error:
            failures.append(error)
    if failures:
        raise failures[0]


def draw(
    videos: Sequence[DrawnVideo | None],
    number: int,
    frame: Frame,
    record: dict[str, Any],
    classes: list[str],
) -> None:
    """Append a frame: its boxes with their names, or its label at its top."""
    video = videos[number]
    if video is None:
        return
    height, width = frame.pixels.shape[:2]
    whole = [{"label": record.get("label", ""), "score": record.get("score", 0.0)}]
    found = record.get("detections", [{**box, "box": [0, 0, width, height]} for box in whole])
    corners = [[x, y, x + w, y + h] for x, y, w, h in (box["box"] for box in found)]
    names = [named(box) for box in found]
    ids = [classes.index(name) if name in classes else len(classes) for name, _ in names]
    boxes = np.array(corners, dtype=np.float32).reshape(-1, 4)
    texts = [f"{name} {score:.2f}" for name, score in names]
    video.write(draw_boxes(frame.pixels, boxes, texts, ids), frame.number)
