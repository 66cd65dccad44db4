"""``osprey augment`` and ``augment_data``: augmented copies of photos, balanced over classes."""

from __future__ import annotations

import argparse

from osprey.augmentation.offline.counts import BALANCES
from osprey.augmentation.offline.options import DEFAULT_SIZE, KEEP, AugmentOptions
from osprey.augmentation.offline.variants import ORIGINALS
from osprey.commands.command_line import Parser, use_plugins
from osprey.system.console import warn


def _parser() -> argparse.ArgumentParser:
    parser = Parser(
        prog="osprey augment",
        description="Write augmented copies of photos and a label file with weights. The photos "
        "are only read. Copies are squares, as a network sees them in training.",
    )
    parser.add_argument(
        "--input_folder", required=True, metavar="IN", help="photos at any depth, only read"
    )
    parser.add_argument(
        "--output_folder", required=True, metavar="OUT", help="a new or empty folder"
    )
    parser.add_argument(
        "--label_file",
        required=True,
        metavar="LABELS",
        help="CSV or Parquet of labels or boxes, whatever its columns are called, or COCO, "
        "MegaDetector, Pascal VOC, YOLO",
    )
    parser.add_argument(
        "--new_label_and_weights_file",
        required=True,
        metavar="CSV",
        help="to write: path, label, weight, source, variant",
    )
    _add_policy(parser)
    _add_output(parser)
    parser.add_plugins()
    return parser


def _add_policy(parser: argparse.ArgumentParser) -> None:
    """What is made, and how many of it."""
    parser.add_argument(
        "--policy", help="an option of augmentation=, or a YAML file (fish; of boxes detection)"
    )
    parser.add_argument(
        "--copies", type=int, default=4, metavar="N", help="a photo, on average over all (4)"
    )
    parser.add_argument(
        "--balance",
        default="sqrt",
        metavar="HOW",
        help=f"who gets the copies: {', '.join(BALANCES)} (sqrt: rare classes get more)",
    )
    parser.add_argument(
        "--balance-by",
        "--balance_by",
        metavar="COLUMN",
        help=r"groups evened out within each class, too: a column, or a pattern on the path such "
        r"as '(?P<group>boat\d+)_'",
    )
    parser.add_argument(
        "--counts",
        metavar="TABLE",
        help="CSV of classes and how many photos each is to have, originals included",
    )
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="(0)")
    parser.add_argument(
        "--size",
        type=int,
        default=DEFAULT_SIZE,
        metavar="PIXELS",
        help=f"side of a copy at most; by default its photo's short side, up to {DEFAULT_SIZE}",
    )


def _add_output(parser: argparse.ArgumentParser) -> None:
    """How it is written."""
    parser.add_argument("--workers", type=int, metavar="N", help="processes (one a core)")
    parser.add_argument(
        "--resume", action="store_true", help="go on with what a start that was ended has begun"
    )
    parser.add_argument(
        "--originals", default="copy", metavar="HOW", help=f"{', '.join(ORIGINALS)} (copy)"
    )
    parser.add_argument(
        "--keep",
        nargs="+",
        default=[],
        metavar="WHAT",
        help=f"{' and '.join(KEEP)}: the label file's further columns, the photos' EXIF",
    )
    parser.add_argument(
        "--columns",
        nargs="+",
        default=[],
        type=_pair,
        metavar="OURS=YOURS",
        help="names in the label file: path=, label=, split=, of boxes x=, y=, w=, h= (they are "
        "told by what is in them)",
    )
    parser.add_argument(
        "--leave_out",
        action="store_true",
        help="go on without photos that have no label or cannot be read",
    )
    parser.add_argument(
        "--force", action="store_true", help="replace a CSV that Osprey did not write"
    )


def _pair(text: str) -> tuple[str, str]:
    ours, equals, theirs = text.partition("=")
    if not (ours and equals and theirs):
        raise argparse.ArgumentTypeError(f"'{text}' is not of the form path=COLUMN")
    return ours, theirs


def augment_data() -> int:
    """The console script of that name."""
    from osprey.commands import run_command

    return run_command("augment")


def main(argv: list[str]) -> int:
    """Augment as ``argv`` says."""
    arguments = _parser().parse_args(argv)
    use_plugins(arguments)
    words = {name: value for name, value in vars(arguments).items() if name != "plugin"}
    options = AugmentOptions(**words | {"columns": dict(arguments.columns)})

    from osprey.augmentation.offline.augment import augment

    augment(options, warn)
    return 0
