"""``osprey crop`` and ``create_fish_images``: cut every subject found out of its photo."""

from __future__ import annotations

import argparse
import hashlib
import sys
import time
from pathlib import Path

from osprey.commands.predicting.inputs import folder_to_write, photos_below, run_of_task
from osprey.commands.predicting.options import fraction
from osprey.data.crop_book import CropBook
from osprey.data.crop_labels import Labels
from osprey.errors import UserError

_EMPTY = {"skip": "left out", "keep": "kept whole", "move": "put into no_detection/"}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="osprey crop",
        description="Cut every subject found out of its photo. Started again after a stop, it goes "
        "on where it was.",
    )
    folder = {"required": True, "metavar": "FOLDER"}
    parser.add_argument("--input_folder", help="photos, which are only read", **folder)  # type: ignore[arg-type]
    parser.add_argument("--output_folder", help="for crops and manifest.csv", **folder)  # type: ignore[arg-type]
    parser.add_argument("--run", default="latest", help="a detector's run (default: the newest)")
    parser.add_argument("--runs", default="runs", help="where runs are kept (default: runs)")
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
    number = parser.add_mutually_exclusive_group()
    number.add_argument("--one_per_image", action="store_true", help="only the surest subject")
    number.add_argument("--all", action="store_true", help="every subject (this is the default)")
    parser.add_argument(
        "--no_detection",
        choices=_EMPTY,
        default="skip",
        help="photos in which nothing is found: skip them (default), keep them whole among the "
        "crops, or put copies into no_detection/; no_detection.csv lists them in any case",
    )
    return parser


def _margin(text: str) -> float:
    value = float(text)
    if not 0 <= value <= 10:
        raise argparse.ArgumentTypeError(f"{text} is not from 0 to 10")
    return value


def create_fish_images() -> int:
    """The console script of that name."""
    from osprey.commands import run_command

    return run_command("crop")


def main(argv: list[str]) -> int:
    """Crop as ``argv`` says."""
    arguments = _parser().parse_args(argv)
    photos = photos_below(arguments.input_folder, "--input_folder")
    root = Path(arguments.input_folder).expanduser()
    output = folder_to_write(arguments.output_folder, "--output_folder")
    if output.resolve().is_relative_to(root.resolve()):
        raise UserError(
            f"--output_folder: '{output}' lies in '{root}', which is only read; name another folder"
        )
    labels = Labels(Path(arguments.label_file) if arguments.label_file else None)
    run = run_of_task(arguments.run, Path(arguments.runs), "detection", "--run")
    book = CropBook(output, _settings(arguments, run.best))

    from osprey.training.detecting.cropper import Cropper, Wish
    from osprey.training.detecting.predictor import BoxPredictor
    from osprey.training.devices import pick_device

    wish = Wish(arguments.margin, arguments.one_per_image, arguments.no_detection)
    cropper = Cropper(root, photos, labels, book, wish)
    started = time.perf_counter()
    try:
        if cropper.todo:
            cropper.run(BoxPredictor(run.best, pick_device("auto"), arguments.min_score))
    finally:
        book.close()
    book.tables(labels)
    _say(arguments, book, len(cropper.todo) / (time.perf_counter() - started))
    strange = labels.missing(map(cropper.source, photos))
    if strange:
        print(f"{strange} photos are not in '{arguments.label_file}': no label", file=sys.stderr)
    return 0


def _settings(arguments: argparse.Namespace, checkpoint: Path) -> dict[str, object]:
    """Everything that the crops depend on."""
    labels = arguments.label_file
    return {
        "input_folder": str(Path(arguments.input_folder).expanduser().resolve()),
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


def _say(arguments: argparse.Namespace, book: CropBook, rate: float) -> None:
    if book.before:
        print(f"{book.before} photos were done before", file=sys.stderr)
    print(
        f"{len(book.done)} photos, {rate:.0f} a second; {book.count('crop')} crops: {book.folder}",
        file=sys.stderr,
    )
    empty = book.count("skipped", "whole", "moved")
    if empty:
        print(
            f"{empty} with nothing found, {_EMPTY[arguments.no_detection]}: "
            f"{book.folder / 'no_detection.csv'}",
            file=sys.stderr,
        )
    failed = [row["failure"] for row in book.rows if row["status"] == "failure"]
    if failed:
        print(f"{len(failed)} could not be read, first: {failed[0]}", file=sys.stderr)
