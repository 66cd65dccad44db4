"""``osprey convert``: annotations of photos from one form to another."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from pathlib import Path

from osprey.data.annotations import FORMS, Annotations, read_annotations, write_annotations
from osprey.errors import DataError, UserError

_TABLES = (".csv", ".parquet")
_WITH_PHOTOS = ("voc", "yolo")  # forms that are a folder with the photos in it


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="osprey convert",
        description="Write boxes on photos in another form. The photos stay where they are: "
        "voc and yolo, which want them beside the boxes, get links.",
    )
    parser.add_argument("--input", required=True, metavar="PATH", help="annotations to read")
    parser.add_argument("--from", dest="source", choices=FORMS, help="(default: by the input)")
    parser.add_argument(
        "--images", metavar="FOLDER", help="what the photos' names are relative to (default: there)"
    )
    parser.add_argument("--output", required=True, metavar="PATH", help="file or folder to write")
    parser.add_argument("--to", dest="target", required=True, choices=FORMS)
    parser.add_argument("--force", action="store_true", help="replace a file that is there")
    return parser


def main(argv: list[str]) -> int:
    """Convert as ``argv`` says."""
    arguments = _parser().parse_args(argv)
    source, output = Path(arguments.input), Path(arguments.output)
    if not source.exists():
        raise DataError(f"--input: there is no '{source}'")
    form = arguments.source or _guessed(source)
    here = source if source.is_dir() else source.parent
    root = Path(arguments.images) if arguments.images and form not in _WITH_PHOTOS else here
    if not root.is_dir():
        raise DataError(f"--images: there is no folder '{root}'")
    _check_output(output, arguments.target, [here, root], force=arguments.force)
    annotations = read_annotations(source, form, root)
    lost = _written(annotations, output, arguments.target, root)
    for notice in annotations.notices:
        print(notice, file=sys.stderr)
    boxes, photos = len(annotations.boxes), len(annotations.images)
    failed = int(annotations.failed().sum())
    said = f", {failed} of them failed" if failed else ""
    print(f"{photos} photos{said}, {boxes} boxes of {len(annotations.classes)} classes: {output}")
    if lost:
        print(f"lost, {arguments.target} cannot hold it: {', '.join(lost)}")
    return 0


def _guessed(source: Path) -> str:
    """The form of an input that can be only one.

    Raises:
        UserError: It could be several.
    """
    if source.suffix.lower() in _TABLES:
        return "csv"
    if source.suffix.lower() in (".yaml", ".yml") or (source / "data.yaml").is_file():
        return "yolo"
    if (source / "Annotations").is_dir():
        return "voc"
    if source.is_dir() and any(source.glob("*/_annotations.coco.json")):
        return "coco"
    if source.is_file() and source.suffix.lower() == ".json":
        with source.open(encoding="utf-8", errors="replace") as file:
            text = file.read()
        for key, form in (('"detection_categories"', "megadetector"), ('"annotations"', "coco")):
            if key in text:
                return form
    raise UserError(f"--from: cannot tell what form '{source}' has (one of {', '.join(FORMS)})")


def _check_output(output: Path, form: str, inputs: list[Path], *, force: bool) -> None:
    """Refuse to write among the input, or over anything."""
    suffix = output.suffix.lower()
    wanted = {"csv": _TABLES, "megadetector": (".json",)}.get(form)
    if wanted and suffix not in wanted:
        raise UserError(f"--output: {form} is a file ending in {' or '.join(wanted)}")
    for folder in inputs:
        if output.resolve().is_relative_to(folder.resolve()):
            raise UserError(
                f"--output: '{output}' lies in '{folder}', which is only read; name another folder"
            )
    if output.is_file() and not (force and suffix in (*_TABLES, ".json")):
        raise UserError(f"--output: '{output}' is there already; --force replaces it")
    if output.is_dir() and (wanted or suffix == ".json" or any(output.iterdir())):
        raise UserError(f"--output: '{output}' is there already; name a new one")
    if not output.parent.is_dir():
        raise UserError(f"--output: there is no folder '{output.parent}' to write to")


def _written(annotations: Annotations, output: Path, form: str, root: Path) -> list[str]:
    """Write under another name first, so that the output is whole or not there."""
    partial = output.with_name(f".{os.getpid()}.{output.name}")
    try:
        lost = write_annotations(annotations, partial, form, root)
        if output.is_dir():
            output.rmdir()  # it is empty
        os.replace(partial, output)
    finally:
        if partial.is_dir():
            shutil.rmtree(partial)
        partial.unlink(missing_ok=True)
    return lost
