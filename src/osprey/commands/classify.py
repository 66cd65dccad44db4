"""``classify``: what is on a photo, from a bundle, without PyTorch."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from osprey.commands.classifying.named import is_address, is_pattern
from osprey.commands.command_line import Parser, fraction
from osprey.errors import UnreadableImage, UserError
from osprey.system.console import say, warn

if TYPE_CHECKING:
    from osprey.inference.predictor import Photo, Predictor

_MOST_BYTES = 1 << 30  # of a photo on standard input


def classify() -> int:
    """The command of that name."""
    from osprey.commands import run_command

    return run_command("classify", None)


def main(argv: list[str]) -> int:
    """Answer as ``argv`` says."""
    started = time.perf_counter()
    arguments = _parser().parse_args(argv)
    _check(arguments)
    if arguments.image is None and not (arguments.folder or arguments.list):
        if sys.stdin.isatty():
            raise UserError("classify: name a photo with --image, or give one on standard input")
        arguments.image = ["-"]
    if arguments.plugin:
        from osprey.commands.command_line import use_plugins

        use_plugins(arguments)
    if arguments.server:
        from osprey.commands.classifying.server import ask_server

        piped = _piped() if arguments.image == ["-"] else None
        return ask_server(arguments, piped)
    if arguments.output:
        from osprey.commands.classifying.many import classify_many

        return classify_many(arguments, _open(arguments))
    if len(arguments.image) > 1 or is_pattern(arguments.image[0]):
        from osprey.commands.classifying.named import photos_named
        from osprey.commands.classifying.several import classify_several
        from osprey.system.path_list import PathList

        named = PathList(photos_named(arguments.image))
        return classify_several(arguments, named, _open(arguments))
    photo = _photo(arguments.image[0])
    predictor = _open(arguments)
    loaded = time.perf_counter() - started
    answer = predictor.one(photo)
    if answer.failure is not None:
        raise UnreadableImage(answer.failure)
    classes = predictor.classes
    if not arguments.verbose:
        say(str(answer.labels(classes)))
        return 0
    say(str(answer.ranked(classes)))
    milliseconds = 1e3 * (time.perf_counter() - started - loaded)
    warn(f"loaded in {loaded:.2f} s, answered in {milliseconds:.0f} ms")
    return 0


def _open(arguments: argparse.Namespace) -> Predictor:
    """The bundle that is asked; which one is said unless it was named."""
    from osprey.inference.registry import find_bundle

    folder, name = find_bundle(arguments.model, Path(arguments.registry), Path(arguments.runs))
    from osprey.imaging.decode_errors import one_line
    from osprey.inference.two_step import open_bundle

    predictor = open_bundle(folder)
    if arguments.unknown_below is not None:
        predictor.set_unknown_below(arguments.unknown_below)
    card = predictor.card
    if arguments.model is None or arguments.verbose:
        warn(f"model: {name} ({one_line(f'{card.name}, {card.model}, {card.created[:10]}')})")
    return predictor


def _photo(name: str) -> Photo:
    """The photo of ``--image``: a file, or what comes on standard input."""
    if name == "-":
        return "standard input", _piped()
    if is_address(name):
        from osprey.commands.classifying.fetch import fetch

        return name, fetch(name)
    from osprey.system.paths import existing_photo

    return existing_photo(name)


def _piped() -> bytes:
    content = sys.stdin.buffer.read(_MOST_BYTES + 1)
    if len(content) > _MOST_BYTES:
        raise UnreadableImage("standard input: is larger than 1 GiB; shrink it first")
    return content


def _check(arguments: argparse.Namespace) -> None:
    """Refuse options that do not go together.

    Raises:
        UserError: One line that names them.
    """
    if arguments.server and (arguments.folder or arguments.list or arguments.output):
        raise UserError("--server goes with --image, without --output")
    if arguments.server and arguments.unknown_below is not None:
        raise UserError("--unknown-below is the service's own: leave it out beside --server")
    if (arguments.folder or arguments.list) and not arguments.output:
        raise UserError("--folder and --list need --output FILE to write to")
    if arguments.output and not (arguments.folder or arguments.list or arguments.image):
        raise UserError("--output goes with --image, --folder or --list")
    if arguments.format and not arguments.output:
        raise UserError("--format goes with --output")


def _parser() -> argparse.ArgumentParser:
    parser = Parser(
        prog="classify",
        description="What is on a photo, or on many: answers from a bundle, without PyTorch. A "
        "photo may come on standard input.",
    )
    what = parser.add_mutually_exclusive_group()
    what.add_argument(
        *("--image",),
        nargs="+",
        metavar="PHOTO",
        help="a photo, its address, or - ; ['LABEL']. Of several, or of a pattern such as "
        "'photos/**/*.jpg', a line each",
    )
    what.add_argument("--folder", metavar="PHOTOS", help="every photo in it and below it")
    what.add_argument("--list", metavar="FILE", help="a file with a photo's path in each line")
    parser.add_argument(
        "--model", metavar="BUNDLE", help="a name such as fish@champion, a run or a bundle's folder"
    )
    parser.add_argument(
        "--server",
        metavar="URL",
        help="ask a service (osprey serve) instead; its key, if any, in OSPREY_API_KEY",
    )
    parser.add_argument("--verbose", action="store_true", help="also scores, model and timing")
    parser.add_argument("--output", metavar="FILE", help="table to write; - is standard output")
    parser.add_argument(
        *("--format",),
        choices=("csv", "json", "jsonl", "submission", "ids"),
        help="of --output (default: by its ending)",
    )
    parser.add_argument(
        "--unknown-below",
        type=fraction,
        metavar="S",
        help="an answer below this score is 'unknown' (default: the bundle's own)",
    )
    parser.add_argument("--force", action="store_true", help="replace files of others")
    parser.add_argument(
        "--strict", action="store_true", help="exit code 1 if a photo is unreadable"
    )
    parser.add_registry()
    parser.add_runs()
    parser.add_plugins()
    return parser
