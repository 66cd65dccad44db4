"""``osprey predict`` with a detector on a video or a camera."""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from osprey.errors import UnreadableImage, UserError
from osprey.imaging.drawing import draw_boxes
from osprey.imaging.live import live_stem, open_live
from osprey.imaging.pace import Pace
from osprey.imaging.video import Video, VideoWriter, open_video
from osprey.runs.folder import RunFolder
from osprey.system.console import counted, say, warn
from osprey.system.files import write_json
from osprey.system.outputs import own_path, refuse_existing
from osprey.tasks.detection.predict.photos import load_detector

if TYPE_CHECKING:
    from osprey.imaging.boxes import Detections
    from osprey.tasks.detection.predictor import BoxPredictor


def open_source(arguments: argparse.Namespace) -> Video:
    """Open the video or the camera, before anything else is loaded.

    Args:
        arguments: The command line.

    Returns:
        The opened source.

    Raises:
        UnreadableImage: It cannot be opened.
        UserError: ``--video`` is a folder, or PyAV is not installed.
    """
    if arguments.camera is not None:
        if len(arguments.camera) > 1:
            raise UserError("several cameras are for a bundle: name it with --model")
        return open_live(arguments.camera[0])
    if Path(arguments.video).is_dir():
        raise UserError(f"--video: '{arguments.video}' is a folder; name a file")
    return open_video(Path(arguments.video))


def predict_video(arguments: argparse.Namespace, run: RunFolder, video: Video) -> int:
    """Detect objects on each frame; write video and JSON, and print the speed.

    Args:
        arguments: The command line.
        run: Its best checkpoint is used.
        video: The opened source; it is closed here.

    Returns:
        The exit code.

    Raises:
        UnreadableImage: No frame can be decoded.
        UserError: An output file exists and Osprey did not write it.
    """
    target = _target(arguments)
    drawn, table = _outputs(target, force=arguments.force)
    predictor = load_detector(arguments, run)
    frames: list[dict[str, Any]] = []
    try:
        with _drawing(drawn, video, force=arguments.force) as writer:
            seconds, skipped = _watch(arguments, predictor, video, writer, frames)
            if not frames:
                raise UnreadableImage(f"{video.name}: not one frame can be decoded")
    finally:
        video.close()
    if table is not None:
        about = {"video": video.name, "frames_in_header": video.said, "skipped": skipped}
        with own_path(table, "--save-dir", force=arguments.force) as partial:
            _write(partial, {**about, "frames": frames})
        warn(f"wrote {target}.mp4 and .json")
    _say(video, len(frames), skipped, seconds)
    return 0


def _target(arguments: argparse.Namespace) -> Path | None:
    """Where the drawn video goes, less its ending; never over the video itself."""
    if arguments.save_dir is None:
        return None
    folder = Path(arguments.save_dir)
    if arguments.camera is not None:
        return folder / live_stem(arguments.camera[0])
    source = Path(arguments.video)
    beside = folder.resolve() in (source.resolve().parent, source.parent.resolve())
    return folder / (f"{source.stem}_boxes" if beside else source.stem)


def _outputs(target: Path | None, *, force: bool) -> tuple[Path | None, Path | None]:
    """The drawn video and its table, checked before a network is loaded."""
    if target is None:
        return None, None
    files = (target.with_name(f"{target.name}.mp4"), target.with_name(f"{target.name}.json"))
    refuse_existing(files, "--save-dir", force=force)
    return files


@contextmanager
def _drawing(drawn: Path | None, video: Video, *, force: bool) -> Iterator[VideoWriter | None]:
    """A writer of the drawn video, which takes its place when all frames are in it."""
    if drawn is None:
        yield None
        return
    drawn.parent.mkdir(parents=True, exist_ok=True)
    with own_path(drawn, "--save-dir", force=force) as partial:
        writer = VideoWriter(partial, video.rate)
        try:
            yield writer
        finally:
            writer.close()


def _watch(
    arguments: argparse.Namespace,
    predictor: BoxPredictor,
    video: Video,
    writer: VideoWriter | None,
    told: list[dict[str, Any]],
) -> tuple[float, int]:
    """Go through the frames; returns the seconds it took, and how many were skipped."""
    from osprey.tasks.detection.frames import watch

    live = arguments.realtime or arguments.camera is not None
    pace = Pace(wait=arguments.camera is None)
    frames = pace.keep(video, float(video.rate)) if live else iter(video)
    started = time.perf_counter()
    try:
        for frame, found in watch(predictor, frames, **({"at_once": 1} if live else {})):
            boxes = _records(found, predictor.classes)
            told.append({"frame": frame.number, "time": round(frame.time, 3), "detections": boxes})
            if writer is not None:
                texts = [f"{box['label']} {box['score']:.2f}" for box in boxes]
                drawn = draw_boxes(frame.pixels, found.boxes, texts, found.labels.tolist())
                writer.write(drawn, frame.number)
    except KeyboardInterrupt:  # how one leaves a camera
        warn("")
    return time.perf_counter() - started, pace.skipped


def _records(found: Detections, classes: list[str]) -> list[dict[str, Any]]:
    from osprey.tasks.detection.prediction import BoxPrediction

    return BoxPrediction("", 0, 0, found).boxes(classes)


def _write(path: Path, content: dict[str, Any]) -> None:
    # Names that are no UTF-8, as old cards have them, are written with escapes.
    write_json(path, content, indent=None, errors="backslashreplace")


def _say(video: Video, asked: int, skipped: int, seconds: float) -> None:
    left_out = f", {skipped} skipped to keep up with the clock" if skipped else ""
    say(f"{counted(asked, 'frame')}{left_out}: {asked / seconds:.1f} frames/s")
    if video.said > asked + skipped:
        warn(
            f"{video.name}: its header tells of {counted(video.said, 'frame')}, "
            f"{asked + skipped} can be decoded"
        )
    if video.damaged:
        warn(f"{video.name}: passed over: {counted(video.damaged, 'damaged packet')}")
