"""``osprey export``: a run as a bundle that answers without PyTorch."""

from __future__ import annotations

import argparse
from pathlib import Path

from osprey.commands.command_line import Parser, fraction, use_plugins
from osprey.commands.predicting.inputs import run_of_task, run_with_model
from osprey.config.bundle_formats import BUNDLE_FORMATS, refuse_uninstalled
from osprey.errors import UserError
from osprey.runs.folder import RunFolder
from osprey.system.console import say

_MAX_DROP = 0.01
# What says how a bundle is to be, by attribute.
_OF_ONE_BUNDLE = (
    *("output", "unknown_below", "features", "format", "max_drop", "full_image_fallback"),
)


def main(argv: list[str]) -> int:
    """Export a run, compare it with PyTorch, and say where it lies."""
    arguments = _parser().parse_args(argv)
    use_plugins(arguments)
    run = run_with_model(arguments.run, Path(arguments.runs))
    _check(arguments)
    if arguments.compare:
        return _compare(arguments, run)
    form = arguments.format or "onnx"
    refuse_uninstalled(form, "--format")
    detector = _detector(arguments, run)
    from osprey.bundle.export import export_run
    from osprey.bundle.formats import bundle_folder
    from osprey.inference.feature_drift import DIRECTIONS

    folder = arguments.output and Path(arguments.output)
    max_drop = _MAX_DROP if arguments.max_drop is None else arguments.max_drop
    words = form, arguments.root, max_drop, arguments.unknown_below
    if detector is None:
        folder = folder or bundle_folder(run, form)
        count = DIRECTIONS if arguments.features else 0
        lines = [export_run(run, folder, *words, features=count)[1].line()]
    else:
        from osprey.pipelines.two_step_bundle import export_two_step, two_step_folder

        folder = folder or two_step_folder(run, form)
        fallback = arguments.full_image_fallback
        lines = export_two_step(run, detector, folder, *words, fallback=fallback)
    for line in lines:
        say(f"check   {line}")
    size = sum(file.stat().st_size for file in folder.rglob("*"))
    say(f"bundle  {folder} ({size / 1e6:.1f} MB)")
    return 0


def _check(arguments: argparse.Namespace) -> None:
    """Refuse options that do not go together."""
    if arguments.output and not Path(arguments.output).parent.is_dir():
        raise UserError(f"--output: there is no folder '{Path(arguments.output).parent}'")
    if arguments.features and arguments.detector:
        raise UserError("--features is for a bundle of one step: leave --detector out")
    if arguments.compare:
        if arguments.detector:
            raise UserError("--compare is of one run: leave --detector out")
        values = ((key, getattr(arguments, key)) for key in _OF_ONE_BUNDLE)
        given = [key for key, value in values if value is not None and value is not False]
        if given:
            words = " and ".join(f"--{key.replace('_', '-')}" for key in given)
            raise UserError(f"--compare writes no bundle: leave {words} out")
    inexact = arguments.detector or arguments.format == "onnx-int8"
    if arguments.max_drop is not None and not inexact:
        raise UserError("--max-drop goes with --format onnx-int8 or --detector")


def _detector(arguments: argparse.Namespace, run: RunFolder) -> Path | None:
    """The bundle that ``--detector`` names, if it is there."""
    if arguments.detector is None:
        if arguments.full_image_fallback:
            raise UserError("--full-image-fallback goes with --detector")
        return None
    from osprey.inference.card import read_card
    from osprey.inference.network import network_bytes
    from osprey.inference.reader import BOXES, reader_class
    from osprey.inference.registry import find_bundle

    places = Path(arguments.registry), Path(arguments.runs)
    folder, _ = find_bundle(arguments.detector, *places, "--detector")
    card = read_card(folder)
    if reader_class(card, f"bundle '{folder}'").answer_key != BOXES:
        raise UserError(f"--detector: bundle '{folder}' finds no boxes (task={card.task})")
    network_bytes(folder, card)  # refused before minutes of comparing
    run_of_task(str(run.path), places[1], "classification", "RUN beside --detector")
    return folder


def _compare(arguments: argparse.Namespace, run: RunFolder) -> int:
    """Print the table of formats; nothing is written."""
    from osprey.bundle.measure import compare_formats

    metric, rows = compare_formats(run, arguments.root)
    say(f"format         MB  images/s  ms alone  val {metric}")
    for row in rows:
        say(
            f"{row.form:<10} {row.failure}"
            if row.failure
            else f"{row.form:<10} {row.megabytes:>6.1f} {row.rate:>9.0f} {row.milliseconds:>9.1f}"
            f"  {row.value:.3f}"
        )
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = Parser(
        prog="osprey export",
        description="Write a run as a bundle that classify answers from, without PyTorch; its "
        "answers are compared with PyTorch's on the run's validation photos.",
    )
    parser.add_run()
    parser.add_argument(
        "--format",
        choices=BUNDLE_FORMATS,
        help="onnx-int8 is smaller, executorch is for phones (default: onnx)",
    )
    parser.add_argument("--output", metavar="FOLDER", help="default: bundle in the run folder")
    parser.add_argument(
        "--root", metavar="PHOTOS", help="where the run's photos are now, if they were moved"
    )
    parser.add_argument(
        *("--max-drop",),
        type=fraction,
        metavar="D",
        help=f"what onnx-int8 may lose of the main metric on validation (default: {_MAX_DROP})",
    )
    parser.add_argument(
        "--unknown-below",
        type=fraction,
        metavar="S",
        help="kept in the bundle: an answer below this score is 'unknown' (default: none is)",
    )
    parser.add_argument(
        "--compare", action="store_true", help="size, speed and accuracy of every format; no bundle"
    )
    parser.add_argument(
        "--detector",
        metavar="BUNDLE",
        help="a detector's run or bundle, which finds the boxes that this classifier names: both "
        "in one bundle (default: bundle-two-step in the run folder)",
    )
    parser.add_argument(
        "--full-image-fallback",
        action="store_true",
        help="of such a bundle: the classifier is asked of the whole photo where no box is found",
    )
    parser.add_argument(
        "--features",
        action="store_true",
        help="of a classifier: tell a few numbers about a photo's features, too, which osprey "
        "serve --log keeps and osprey drift compares",
    )
    parser.add_registry()
    parser.add_plugins()
    return parser
