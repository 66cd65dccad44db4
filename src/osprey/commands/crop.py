"""``osprey crop`` and ``create_fish_images``: cut every subject found out of its photo."""

from __future__ import annotations

import argparse
import hashlib
import time
from pathlib import Path
from typing import TYPE_CHECKING

from osprey.commands.command_line import Parser, fraction, number, use_plugins
from osprey.commands.crop_messages import EMPTY_PHOTOS, say, say_next
from osprey.commands.predicting.inputs import run_of_task
from osprey.commands.predicting.photos import FolderPhotos
from osprey.data.crop_journal import CropJournal
from osprey.data.crop_labels import Labels
from osprey.data.folders import folder_to_write, outside
from osprey.errors import UserError
from osprey.system.console import counted, warn
from osprey.system.paths import home_path

if TYPE_CHECKING:
    from osprey.pipelines.cropper import Cropper


def _parser() -> argparse.ArgumentParser:
    parser = Parser(
        prog="osprey crop",
        description="Cut every subject found out of its photo. Started again after a stop, it goes "
        "on where it was.",
    )
    folder = {"required": True, "metavar": "FOLDER"}
    parser.add_argument("--input_folder", help="photos, which are only read", **folder)  # type: ignore[arg-type]
    parser.add_argument("--output_folder", help="for crops and manifest.csv", **folder)  # type: ignore[arg-type]
    parser.add_argument("--run", default="latest", help="a detector's run (default: the newest)")
    parser.add_runs()
    parser.add_argument(
        "--label_file",
        metavar="TABLE",
        help="CSV with path, label and more; labels.csv of the crops comes out "
        "(default: the class folders are the labels)",
    )
    parser.add_argument(
        "--margin", type=_margin, default=0.1, help="room around, as a share of the box (0.1)"
    )
    parser.add_argument(
        "--min_score",
        type=fraction,
        metavar="S",
        help="a box counts from this score on (default: the run's own threshold of each class)",
    )
    count = parser.add_mutually_exclusive_group()
    count.add_argument("--one_per_image", action="store_true", help="only the surest subject")
    count.add_argument("--all", action="store_true", help="every subject (this is the default)")
    parser.add_argument(
        "--no_detection",
        choices=EMPTY_PHOTOS,
        default="skip",
        help="photos in which nothing is found: skip them (default), keep them whole among the "
        "crops, or put copies into no_detection/; no_detection.csv lists them in any case",
    )
    parser.add_argument(
        "--strict",
        action="store_true",
        help="exit code 1 if anything in the folder cannot be read or is no photo; "
        "failures.csv lists photos that cannot be read, and the next start tries them again",
    )
    parser.add_plugins()
    return parser


def _margin(text: str) -> float:
    return number(text, 10)


def create_fish_images() -> int:
    """The console script of that name."""
    from osprey.commands import run_command

    return run_command("crop")


def main(argv: list[str]) -> int:
    """Crop as ``argv`` says."""
    arguments = _parser().parse_args(argv)
    use_plugins(arguments)
    photos = FolderPhotos(arguments.input_folder, "--input_folder")
    root = home_path(arguments.input_folder)
    output = folder_to_write(arguments.output_folder, "--output_folder")
    outside([output], root, photos, "--output_folder")
    labels = Labels(Path(arguments.label_file) if arguments.label_file else None)
    labels.check([photo.relative_to(root).as_posix() for photo in photos])
    run = run_of_task(arguments.run, Path(arguments.runs), "detection", "--run")

    from osprey.pipelines.cropper import CropOptions, Cropper

    options = CropOptions(arguments.margin, arguments.one_per_image, arguments.no_detection)
    with CropJournal(output, _settings(arguments, run.best)) as journal:
        cropper = Cropper(root, photos, labels, journal, options)
        if cropper.todo:
            _crop(cropper, run.best, arguments.min_score)
        else:
            warn(f"nothing to do, done before: {counted(journal.before, 'photo')}")
        journal.tables(labels)
    say(arguments.no_detection, journal)
    strange = labels.missing(map(cropper.source, photos))
    if strange:
        warn(f"not in '{arguments.label_file}', so without a label: {counted(strange, 'photo')}")
    say_next(journal, labels)
    return 1 if arguments.strict and (journal.of("failure") or photos.passed) else 0


def _crop(cropper: Cropper, checkpoint: Path, min_score: float | None) -> None:
    """Crop what is left, and say how fast that went."""
    from osprey.system.devices import pick_device
    from osprey.tasks.detection.predictor import BoxPredictor

    journal, count = cropper.journal, len(cropper.todo)
    if journal.before:
        warn(f"done before: {counted(journal.before, 'photo')}; left: {count}")
    started = time.perf_counter()
    try:
        cropper.run(BoxPredictor(checkpoint, pick_device("auto"), min_score))
    except KeyboardInterrupt:
        done = len(journal.done) - journal.before
        warn(f"{done} of {count} are done; the same command goes on")
        raise
    except OSError as error:
        raise UserError(
            f"--output_folder: cannot write to '{journal.folder}' ({error.strerror}); the same "
            "command goes on when that is mended"
        ) from None
    rate = count / (time.perf_counter() - started)
    warn(f"{counted(count, 'photo')}, {rate:.0f} a second")


def _settings(arguments: argparse.Namespace, checkpoint: Path) -> dict[str, object]:
    """Everything that the crops depend on."""
    labels = arguments.label_file
    return {
        "input_folder": str(home_path(arguments.input_folder).resolve()),
        "run": f"{checkpoint.parents[1].name} {_digest(checkpoint)}",
        "label_file": f"{Path(labels).name} {_digest(Path(labels))}" if labels else None,
        "margin": arguments.margin,
        "min_score": arguments.min_score,
        "one_per_image": arguments.one_per_image,
        "no_detection": arguments.no_detection,
    }


def _digest(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()[:12]
