"""``classify`` on many photos: a table that a kill does not lose."""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from osprey.commands.classifying.named import is_address, photos_named
from osprey.commands.predicting.photos import photos_of
from osprey.errors import UserError
from osprey.inference.predictor import FORMATS, Predictor
from osprey.inference.reader import Answer
from osprey.system.outputs import followed, is_stream, refuse_existing
from osprey.system.path_list import Paths
from osprey.tasks.answers import (
    SUBMISSION,
    SUBMISSION_IDS,
    TableForm,
    csv_row,
    refuse_same_names,
    write_answers,
)


def classify_many(arguments: argparse.Namespace, predictor: Predictor) -> int:
    """Answer about the photos of ``--folder``, ``--list`` or ``--image``.

    Args:
        arguments: The command line; ``format`` is completed.
        predictor: The bundle.

    Returns:
        The exit code: 1 with ``--strict`` if a photo could not be read, else 0.

    Raises:
        UserError: The format is not known, or the output cannot be written.
    """
    _complete_format(arguments, predictor)
    photos = _photos(arguments)
    if arguments.format in ("submission", "ids"):
        refuse_same_names(photos, arguments.format)
    arguments.excel = False
    failed = write_answers(predictor, photos, arguments, forms(predictor))
    return 1 if failed and arguments.strict else 0


def _complete_format(arguments: argparse.Namespace, predictor: Predictor) -> None:
    output = arguments.output
    if arguments.format is None:
        ending = Path(output).suffix[1:].lower()
        if ending not in FORMATS and not is_stream(output):
            raise UserError(
                f"--output: '{output}' ends in none of .csv, .json, .jsonl: name another, or add "
                "--format"
            )
        arguments.format = ending if ending in FORMATS else "jsonl"
    if arguments.format not in predictor.formats:
        task, valid = predictor.card.task, ", ".join(predictor.formats)
        raise UserError(f"--format {arguments.format} is not for {task} (one of {valid})")


def _photos(arguments: argparse.Namespace) -> Sequence[Path]:
    if arguments.folder:
        return photos_of(arguments.folder, arguments.output, force=arguments.force)
    if arguments.list:
        photos = Paths(_listed(Path(arguments.list)))
        if not photos:
            raise UserError(f"--list: '{arguments.list}' names no photo")
    else:
        photos = Paths(_files(arguments.image))
    if not is_stream(arguments.output):
        target = followed(arguments.output)
        if not target.parent.is_dir():
            raise UserError(f"--output: there is no folder '{target.parent}' to write to")
        refuse_existing([target], "--output", force=arguments.force)
    return photos


def _listed(file: Path) -> Iterator[str]:
    """The photos that a file names, a line each."""
    if file.is_dir():
        raise UserError(f"--list: '{file}' is a folder; use --folder")
    if not file.is_file():
        raise UserError(f"--list: there is no file '{file}'")
    try:
        with file.open(encoding="utf-8-sig", errors="surrogateescape") as lines:
            for line in map(str.strip, lines):
                if "\0" in line:
                    raise UserError(f"--list: '{file}' is no list of photos, a path in each line")
                if line:
                    yield os.path.expanduser(line)
    except OSError as error:
        raise UserError(f"--list: '{file}' cannot be read ({error.strerror})") from None


def _files(words: Sequence[str]) -> Iterator[str]:
    """The files of ``--image``, whose answers outlast a kill."""
    for photo in photos_named(words):
        if is_address(photo):
            raise UserError(f"--output is for files: '{photo}' is an address")
        yield photo


def forms(predictor: Predictor) -> dict[str, TableForm]:
    """How answers are written: ``json`` is one array, ``jsonl`` a line an answer."""
    columns = predictor.columns

    def rows(answer: Answer, classes: list[str]) -> str:
        return "".join(csv_row(row) for row in answer.rows(classes))

    def element(answer: Answer, classes: list[str]) -> str:
        return json.dumps(answer.record(classes), ensure_ascii=False)

    def line(answer: Answer, classes: list[str]) -> str:
        return element(answer, classes) + "\n"

    return {
        "csv": TableForm(lambda _: csv_row(columns), rows),
        "json": TableForm(lambda _: "[\n ", element, between=",\n ", tail="\n]\n"),
        "jsonl": TableForm(lambda _: "", line),
        "submission": SUBMISSION,
        "ids": SUBMISSION_IDS,
    }
