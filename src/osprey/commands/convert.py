"""``osprey convert``: annotations of photos from one form to another."""

from __future__ import annotations

import argparse
import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from osprey.commands.command_line import Parser
from osprey.data.formats import FORMS, Annotations, read_annotations, write_annotations
from osprey.data.formats.fitting import fit_to_photos, with_val
from osprey.data.formats.mend import mend_annotations, mended_line
from osprey.data.formats.options import Options
from osprey.data.formats.registry import measured, only_form
from osprey.data.formats.units import check_units
from osprey.errors import DataError, UserError
from osprey.system.console import counted, say, warn
from osprey.system.files import atomic_path

if TYPE_CHECKING:
    import pandas as pd

_MENDED = "boxes_mended.csv"
_FILES = (".csv", ".parquet", ".json", ".xml")  # endings of what may be replaced


def _parser() -> argparse.ArgumentParser:
    parser = Parser(
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
    parser.add_argument("--strict", action="store_true", help="stop at boxes without their photo")
    parser.add_argument("--pixels", action="store_true", help="YOLO's numbers are pixels")
    parser.add_argument(
        "--origin", type=int, choices=(0, 1), help="VOC's first pixel (default: by the set)"
    )
    parser.add_argument(
        "--val-fraction",
        type=float,
        metavar="SHARE",
        help="cut a val split of photos that have none, such as 0.2 (default: none)",
    )
    return parser


def main(argv: list[str]) -> int:
    """Convert as ``argv`` says."""
    arguments = _parser().parse_args(argv)
    source, output, form = Path(arguments.input), Path(arguments.output), arguments.target
    if not source.exists():
        raise DataError(f"--input: there is no '{source}'")
    read_as = arguments.source or only_form(source, "--from", "say which with --from NAME")
    here = source if source.is_dir() else source.parent
    root = Path(arguments.images) if arguments.images else here
    if not root.is_dir():
        raise DataError(f"--images: there is no folder '{root}'")
    protected = [root] if arguments.images else []
    protected += [here] if source.is_dir() or FORMS[read_as].places_photos else []
    _check_output(output, form, protected, force=arguments.force)
    if os.path.realpath(output) == os.path.realpath(source):
        raise UserError(f"--output: '{output}' is the input; name another")
    options = Options(
        arguments.strict, arguments.pixels, arguments.origin, whole=True, converting=True
    )
    annotations = measured(read_annotations(source, read_as, root, options), root)
    check_units(annotations, str(source))
    annotations = replace(annotations, info={"detector": source.resolve().name, **annotations.info})
    annotations = with_val(fit_to_photos(annotations, root), arguments.val_fraction)
    annotations, mended = mend_annotations(annotations)
    lost, listed = _written(annotations, mended, output, form, root, force=arguments.force)
    for notice in annotations.notices:
        warn(notice)
    failed = int(annotations.failed().sum())
    said = counted(len(annotations.images), "photo")
    said += f", {failed} of them failed" if failed else ""
    classes = counted(len(annotations.classes), "class")
    boxes = f"{counted(len(annotations.boxes), 'box')} of {classes}"
    say(f"{said}, {boxes}: {output}" + (f"; {mended_line(mended, str(listed))}" if listed else ""))
    if form == "yolo" and not _has_val(annotations):
        warn("no photo is in val, so data.yaml has none: --val-fraction 0.2 cuts one")
    if lost:
        say(f"lost, {form} cannot hold it: {', '.join(lost)}")
    return 0


def _has_val(annotations: Annotations) -> bool:
    return "split" in annotations.images and bool((annotations.images["split"] == "val").any())


def _check_output(output: Path, form: str, protected: list[Path], *, force: bool) -> None:
    """Refuse to write among the photos, or over anything."""
    suffix = output.suffix.lower()
    wanted = FORMS[form].ending
    if wanted and suffix not in wanted:
        raise UserError(f"--output: {form} is a file ending in {' or '.join(wanted)}")
    if not wanted and suffix in _FILES and not (suffix == ".json" and form == "coco"):
        raise UserError(f"--output: {form} is a folder, not a file '{output.name}'")
    for folder in protected:
        if output.resolve().is_relative_to(folder.resolve()):
            raise UserError(
                f"--output: '{output}' lies in '{folder}', which is only read; name another folder"
            )
    if output.is_dir() and not output.is_symlink():
        if wanted or suffix == ".json" or any(output.iterdir()):
            raise UserError(f"--output: '{output}' is there already; name a new one")
    elif os.path.lexists(output) and not (force and suffix in _FILES):
        raise UserError(f"--output: '{output}' is there already; --force replaces it")
    if not output.parent.is_dir():
        raise UserError(f"--output: there is no folder '{output.parent}' to write to")


def _written(
    annotations: Annotations,
    mended: pd.DataFrame,
    output: Path,
    form: str,
    root: Path,
    *,
    force: bool,
) -> tuple[list[str], Path | None]:
    """Write under another name first, so that the output is whole or not there.

    Returns:
        What the form cannot hold, and the list of the boxes that were mended, if any were.
    """
    listed = output.with_name(f"{output.name}.{_MENDED}")  # of a file; a folder holds its list
    try:
        with atomic_path(output, keep_name=True) as partial:
            lost = write_annotations(annotations, partial, form, root)
            if partial.is_dir():
                listed = output / _MENDED
                _list_mended(mended, partial / _MENDED)
            elif not mended.empty:
                if os.path.lexists(listed) and not force:
                    raise UserError(
                        f"--output: '{listed}', which would list the boxes that were mended, is "
                        "there already; --force replaces it"
                    )
                with atomic_path(listed, keep_name=True) as partial_list:
                    _list_mended(mended, partial_list)
    except OSError as error:
        why = error.strerror or error
        raise UserError(f"--output: '{output}' cannot be written ({why})") from None
    return lost, None if mended.empty else listed


def _list_mended(mended: pd.DataFrame, file: Path) -> None:
    if not mended.empty:
        mended.to_csv(file, index=False, lineterminator="\n")
