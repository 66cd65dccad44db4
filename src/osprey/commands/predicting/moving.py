"""``osprey predict --model`` on a video or on cameras: answers frame by frame, without PyTorch."""

from __future__ import annotations

import argparse
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from osprey.commands.predicting.frames_out import draw, drawing, lines_to, pictures, write
from osprey.errors import Terminated, UnreadableImage, UserError
from osprey.imaging.live import live_names, open_live
from osprey.imaging.pace import Pace
from osprey.imaging.streams import Cameras, Stream
from osprey.imaging.video import Frame, Video, open_video
from osprey.inference.predictor import Predictor
from osprey.system.ahead import batches_ahead
from osprey.system.console import counted, say, warn
from osprey.system.outputs import followed, is_standard_output, is_stream, refuse_existing

_AT_ONCE = 8  # frames of a file in one batch
Told = tuple[Frame, dict[str, Any]]  # a frame and the record about it, without a file's name


def check_outputs(arguments: argparse.Namespace) -> None:
    """Check that the outputs can be written, before anything is opened.

    Raises:
        UserError: One is there and not Osprey's, or a camera is named twice.
    """
    if arguments.output and not is_stream(arguments.output):
        target = followed(arguments.output)
        if target.suffix.lower() != ".jsonl":
            raise UserError(
                f"--output: '{arguments.output}' does not end in .jsonl, a line a frame"
            )
        if not target.parent.is_dir():
            raise UserError(f"--output: there is no folder '{target.parent}' to write to")
        refuse_existing([target], "--output", force=arguments.force)
    drawn = [path for path in pictures(arguments) if path is not None]
    refuse_existing(drawn, "--save-dir", force=arguments.force)
    cameras = arguments.camera or []
    if len(set(cameras)) < len(cameras):
        raise UserError("--camera: one is named twice")


def open_file(name: str) -> Video:
    """Open the video of ``--video``.

    Raises:
        UnreadableImage: It cannot be opened.
        UserError: It is a folder, or PyAV is not installed.
    """
    if Path(name).is_dir():
        raise UserError(f"--video: '{name}' is a folder; name a file")
    return open_video(Path(name))


def open_cameras(sources: Sequence[int | str]) -> Cameras:
    """Open the cameras and addresses of ``--camera``.

    Raises:
        UnreadableImage: One cannot be opened.
        UserError: PyAV is not installed.
    """
    stop = threading.Event()
    streams: list[Stream] = []
    try:
        for source, name in zip(sources, live_names(sources), strict=True):
            streams.append(Stream(partial(open_live, source, name), stop.wait, warn))
    except BaseException:
        for stream in streams:
            stream.close()
        raise
    return Cameras(streams, stop)


def answer_video(arguments: argparse.Namespace, video: Video, predictor: Predictor) -> int:
    """Answer about each frame of a file, and print the speed.

    Args:
        arguments: The command line.
        video: The opened file; it is closed here.
        predictor: The bundle.

    Returns:
        The exit code.

    Raises:
        UnreadableImage: No frame can be decoded.
    """
    pace = Pace(wait=True)
    frames = pace.keep(video, float(video.rate)) if arguments.realtime else iter(video)
    started, count = time.perf_counter(), 0
    try:
        with lines_to(arguments) as lines, drawing(arguments, [video.rate]) as writers:
            for frame, record in _answered(predictor, frames, realtime=arguments.realtime):
                count += 1
                write(lines, frame, record)
                draw(writers, 0, frame, record, predictor.classes)
            if not count:
                raise UnreadableImage(f"{video.name}: not one frame can be decoded")
    finally:
        video.close()
    _say(count, pace.skipped, time.perf_counter() - started, arguments)
    if video.said > count + pace.skipped:
        warn(
            f"{video.name}: its header tells of {counted(video.said, 'frame')}, "
            f"{count + pace.skipped} can be decoded"
        )
    if video.damaged:
        warn(f"{video.name}: passed over: {counted(video.damaged, 'damaged packet')}")
    return 0


def answer_cameras(arguments: argparse.Namespace, cameras: Cameras, predictor: Predictor) -> int:
    """Answer about the newest frames of each camera until Ctrl-C.

    Args:
        arguments: The command line.
        cameras: The opened cameras; they are closed here.
        predictor: The bundle.

    Returns:
        The exit code.

    Raises:
        Terminated: Another signal than Ctrl-C ended it; what was answered is written.
    """
    streams = cameras.streams
    started, count = time.perf_counter(), 0
    signal: Terminated | None = None
    try:
        with (
            lines_to(arguments) as lines,
            drawing(arguments, [stream.rate for stream in streams]) as writers,
        ):
            try:
                for newest in cameras:
                    prepared = [predictor.prepare_frame("", frame.pixels) for _, frame in newest]
                    answers = predictor.answers(prepared)
                    for (number, frame), answer in zip(newest, answers, strict=True):
                        count += 1
                        record = _record(answer.record(predictor.classes))
                        write(lines, frame, record, camera=streams[number].name)
                        draw(writers, number, frame, record, predictor.classes)
            except Terminated as stop:
                signal = stop
            except KeyboardInterrupt:  # how one leaves a camera
                warn("")
    finally:
        cameras.close()
    _say(count, cameras.skipped, time.perf_counter() - started, arguments)
    if signal is not None:
        raise signal
    return 0


def _answered(predictor: Predictor, frames: Iterable[Frame], *, realtime: bool) -> Iterator[Told]:
    """Each frame with its record; prepared ahead in threads, but for real time."""
    classes = predictor.classes

    def prepare(frame: Frame) -> Any:
        return predictor.prepare_frame("", frame.pixels)

    batches: Iterable[list[tuple[Frame, Any]]] = (
        ([(frame, prepare(frame))] for frame in frames)
        if realtime
        else batches_ahead(frames, prepare, _AT_ONCE)
    )
    for batch in batches:
        answers = predictor.answers([prepared for _, prepared in batch])
        for (frame, _), answer in zip(batch, answers, strict=True):
            yield frame, _record(answer.record(classes))


def _record(record: dict[str, Any]) -> dict[str, Any]:
    """A record without the file's name, which a frame has not."""
    return {key: value for key, value in record.items() if key != "file"}


def _say(asked: int, skipped: int, seconds: float, arguments: argparse.Namespace) -> None:
    left_out = f", {skipped} skipped to keep up with the clock" if skipped else ""
    tell = warn if arguments.output and is_standard_output(arguments.output) else say
    tell(f"{counted(asked, 'frame')}{left_out}: {asked / seconds:.1f} frames/s")
