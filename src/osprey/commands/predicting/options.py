"""The command line of ``osprey predict``."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from osprey.commands.command_line import Parser, fraction
from osprey.commands.predicting.cameras import OneList, cameras
from osprey.config.schema import TTA
from osprey.data.folders import folder_to_write
from osprey.errors import UserError
from osprey.system.outputs import is_stream
from osprey.tasks.plugin import TaskPlugin
from osprey.tasks.registry import all_tasks

_ENDINGS = (".csv", ".json")


def parser() -> argparse.ArgumentParser:
    """Everything that may be asked."""
    parser = Parser(
        prog="osprey predict",
        description="Name or find what is on a photo, or on every photo of a folder.",
    )
    _add_what(parser)
    parser.add_argument("--run", help="run folder (default: newest finished run)")
    parser.add_argument(
        "--model",
        metavar="BUNDLE",
        help="answer from a bundle, without PyTorch: a name such as fish@champion, a run or a "
        "bundle's folder",
    )
    parser.add_runs()
    parser.add_registry()
    parser.add_argument(
        "--tta",
        choices=TTA,
        default="none",
        help="answers averaged over the photo and its mirror image, or its 8 turned views",
    )
    parser.add_argument("--verbose", action="store_true", help="also scores, model and timing")
    _add_outputs(parser)
    parser.add_plugins()
    _add_boxes(parser)
    two = parser.add_argument_group("in two steps: where, then what")
    two.add_argument("--detector", metavar="RUN", help="finds the boxes")
    two.add_argument("--classifier", metavar="RUN", help="names what is in each box")
    two.add_argument(
        *("--full_image_fallback", "--full-image-fallback"),
        action="store_true",
        help="the classifier is asked of the whole photo where no box is found",
    )
    return parser


def _add_what(parser: Parser) -> None:
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--image", metavar="PHOTO", help="one photo; prints ['LABEL'], or boxes")
    what.add_argument("--folder", metavar="PHOTOS", help="every photo in it and below it")
    what.add_argument("--video", metavar="FILE", help="a video; prints frames/s")
    what.add_argument(
        *("--camera",),
        nargs="+",
        type=cameras,
        action=OneList,
        metavar="N",
        help="a camera, 0 the first, or an address such as rtsp://camera/live, or @FILE with one "
        "a line, which keeps passwords out of the list of processes; with --model also several; "
        "Ctrl-C ends it",
    )


def _add_outputs(parser: Parser) -> None:
    parser.add_argument(
        "--output", metavar="FILE", help="table to write, for --folder; - is standard output"
    )
    parser.add_argument(
        "--force", action="store_true", help="write over files that Osprey did not write"
    )
    formats = dict.fromkeys(form for task in all_tasks() for form in task.formats)
    formats["jsonl"] = None  # of bundles alone
    parser.add_argument("--format", choices=formats, help="of --output (default: by its ending)")
    parser.add_argument(
        "--excel", action="store_true", help="a CSV whose letters Excel shows as they are"
    )
    parser.add_argument(
        "--strict",
        action="store_true",
        help="exit code 1 if anything in --folder cannot be read or is no photo",
    )


def _add_boxes(parser: Parser) -> None:
    boxes = parser.add_argument_group("with a detector")
    boxes.add_argument(
        *("--min-score", "--min_score"),
        type=fraction,
        metavar="S",
        help="a box counts from this score on (default: the run's own threshold of each class)",
    )
    boxes.add_argument(
        "--save-dir", "--save_dir", metavar="OUT", help="folder for pictures with the boxes drawn"
    )
    boxes.add_argument(
        "--realtime",
        action="store_true",
        help="skip frames of --video to keep up with the clock, as with --camera",
    )


def check(arguments: argparse.Namespace, task: TaskPlugin, *, two_steps: bool = False) -> None:
    """Refuse what does not go with the task, or the two steps, or with one photo.

    Raises:
        UserError: One line that names the option.
    """
    if not arguments.folder and (arguments.output or arguments.format):
        raise UserError("--output and --format go with --folder")
    if arguments.folder and not arguments.output:
        raise UserError("--folder needs --output FILE to write its table to")
    if not arguments.folder and arguments.strict:
        raise UserError("--strict goes with --folder: alone, what cannot be read is an error")
    if arguments.realtime and not arguments.video:
        raise UserError("--realtime goes with --video")
    moving = "--video" if arguments.video else "--camera"
    watching = arguments.video or arguments.camera is not None
    if watching and (two_steps or not task.supports_video):
        raise UserError(
            f"{moving} is for one detector's run: name it with --run, or any bundle with --model"
        )
    forms, name = task.formats, "two steps" if two_steps else task.name
    if arguments.format and arguments.format not in forms:
        raise UserError(
            f"--format {arguments.format} is not for {name} (one of {', '.join(forms)})"
        )
    _check_excel(arguments)
    if arguments.output:
        _check_output(arguments, forms)
    if arguments.save_dir is not None:
        folder_to_write(arguments.save_dir, "--save-dir")
    if two_steps:  # each has its part in what is asked
        return
    for option in ("min_score", "save_dir"):
        if getattr(arguments, option) is not None and not task.supports_boxes:
            raise UserError(f"--{option.replace('_', '-')} goes with a detector's run")
    if arguments.tta != "none" and not task.supports_tta:
        raise UserError("--tta goes with a classifier's run")


def _check_excel(arguments: argparse.Namespace) -> None:
    form = arguments.format or Path(arguments.output or "").suffix[1:] or "csv"
    if arguments.excel and (not arguments.folder or form not in ("csv", "submission")):
        raise UserError("--excel goes with --folder and a table ending in .csv")


def _check_output(arguments: argparse.Namespace, forms: Sequence[str]) -> None:
    """Refuse an ending that does not say what to write."""
    output, ending = arguments.output, Path(arguments.output).suffix
    if is_stream(output):
        return
    if arguments.format in ("coco", "megadetector") and ending != ".json":
        raise UserError(f"--format {arguments.format} is a file ending in .json")
    if not arguments.format and ending not in _ENDINGS:
        raise UserError(
            f"--output: '{output}' ends in none of {', '.join(_ENDINGS)}: name another, "
            f"or add --format ({', '.join(forms)})"
        )


def two_steps(arguments: argparse.Namespace) -> bool:
    """Whether a detector and a classifier are to work together.

    Raises:
        UserError: Only part of what that takes is given.
    """
    if bool(arguments.detector) != bool(arguments.classifier):
        missing = "classifier" if arguments.detector else "detector"
        raise UserError(f"two steps need a detector and a classifier: add --{missing} RUN")
    if arguments.detector and arguments.run:
        raise UserError("--run is for one model: leave it out beside --detector and --classifier")
    if arguments.full_image_fallback and not arguments.detector:
        raise UserError("--full_image_fallback goes with --detector and --classifier")
    return bool(arguments.detector)
