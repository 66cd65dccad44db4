"""Answers about photos as ``osprey predict`` gives them: a line for one, a table for many."""

from __future__ import annotations

import argparse
import csv
import hashlib
import io
import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from osprey.errors import UnreadableImage, UserError
from osprey.system.console import counted, say, warn
from osprey.system.outputs import BYTE_ORDER_MARK, output_path
from osprey.tasks.journal import PredictionJournal

if TYPE_CHECKING:
    from osprey.tasks.predictor import Answer, PhotoPredictor


class Asked(Protocol):
    """What answers about photos: a task's predictor, or a bundle."""

    @property
    def classes(self) -> list[str]:
        """Class names in the order of the outputs."""
        ...

    @property
    def checkpoint(self) -> Path:
        """The file that the answers come from."""
        ...

    def predict(self, files: Iterable[Path], /) -> Iterator[Any]:
        """One answer a photo, in order."""
        ...


def answer_photos(
    arguments: argparse.Namespace,
    photos: Sequence[Path],
    predictor: PhotoPredictor[Any],
    columns: Sequence[str],
) -> int:
    """Print the record of one photo as JSON, or write those of many as a table.

    Args:
        arguments: The command line.
        photos: The photos to predict.
        predictor: The task's predictor.
        columns: Columns of a CSV table.

    Returns:
        The exit code: 1 with ``--strict`` if a photo could not be read, else 0.

    Raises:
        UnreadableImage: The one photo cannot be read.
    """
    model = predictor.metadata.model.name
    warn(f"model: {predictor.checkpoint} ({model})")
    if arguments.image:
        answer = next(predictor.predict(photos))
        if answer.failure is not None:
            raise UnreadableImage(answer.failure)
        say(json.dumps(answer.record(predictor.classes), ensure_ascii=False))
        return 0
    failed = write_answers(predictor, photos, arguments, record_forms(columns))
    return 1 if failed and arguments.strict else 0


def write_answers(
    predictor: Asked,
    photos: Sequence[Path],
    arguments: argparse.Namespace,
    forms: Mapping[str, TableForm],
    lacking: str = "answer",
) -> int:
    """Write a table atomically; killed, the same command goes on.

    Args:
        predictor: The task's predictor.
        photos: What is asked about.
        arguments: The command line: ``output``, ``format``, ``force``.
        forms: How a table is written, by format.
        lacking: What unreadable photos have none of, in the warning.

    Returns:
        Number of photos without an answer.
    """
    output = arguments.output
    kind = arguments.format or ("json" if Path(output).suffix.lower() == ".json" else "csv")
    form, classes = forms[kind], predictor.classes

    def asked(journal: PredictionJournal) -> Iterator[tuple[str, str | None]]:
        for answer in predictor.predict(journal.todo):
            yield form.line(answer, classes), answer.failure

    started = time.perf_counter()
    failed, first = 0, ""
    with PredictionJournal(arguments, photos, [predictor.checkpoint]) as journal:
        journal.keep(asked(journal))
        with (
            output_path(output, "--output", force=arguments.force) as partial,
            # Names that are not UTF-8, as on old cards, are escaped.
            partial.open("w", newline="", encoding="utf-8", errors="backslashreplace") as file,
        ):
            file.write(BYTE_ORDER_MARK if arguments.excel else "")
            file.write(form.head(classes))
            for number, (line, failure) in enumerate(journal.entries()):
                file.write((form.between if number else "") + line)
                if failure is not None:
                    failed, first = failed + 1, first or failure
            file.write(form.tail)
    rate = len(journal.todo) / (time.perf_counter() - started)
    warn(f"{counted(len(photos), 'photo')}, {rate:.0f} a second: {output}")
    if failed:
        count = counted(failed, "photo")
        warn(f"{count} could not be read, so without {lacking}, first: {first}")
    return failed


@dataclass(frozen=True)
class TableForm:
    """How a table is written, answer by answer.

    Attributes:
        head: What comes first, given the class names.
        line: One answer's text, given the class names.
        between: What stands between two answers.
        tail: What comes last.
    """

    head: Callable[[list[str]], str]
    line: Callable[[Any, list[str]], str]
    between: str = ""
    tail: str = ""


def csv_row(values: Sequence[object]) -> str:
    """One row of a CSV, its line end included."""
    text = io.StringIO(newline="")
    csv.writer(text).writerow(values)
    return text.getvalue()


def record_forms(columns: Sequence[str]) -> dict[str, TableForm]:
    """Forms of records: ``csv`` with these columns, ``json`` with all that they hold.

    Args:
        columns: Keys of the record.
    """

    def row(answer: Answer, classes: list[str]) -> str:
        record = answer.record(classes)
        return csv_row([record.get(key, "") for key in columns])

    def element(answer: Answer, classes: list[str]) -> str:
        return json.dumps(answer.record(classes), ensure_ascii=False)

    return {
        "csv": TableForm(lambda _: csv_row(columns), row),
        "json": TableForm(lambda _: "[\n ", element, between=",\n ", tail="\n]\n"),
    }


# One column a class, as the fisheries competition wants it.
SUBMISSION = TableForm(
    lambda classes: csv_row(["image", *classes]),
    lambda answer, classes: csv_row(answer.submission(classes)),
)


# One number a photo: of its class in alphabetical order, as the 10-class species set wants it.
SUBMISSION_IDS = TableForm(
    lambda classes: csv_row(["id", "label"]),
    lambda answer, classes: csv_row(answer.submission_id()),
)


def refuse_same_names(photos: Sequence[Path], form: str) -> None:
    """Refuse photos of one name in different folders, before any is asked about.

    Args:
        photos: For a table in a form that gives a photo's name without its folder.
        form: What that is called.

    Raises:
        UserError: Two have one name; the line names them.
    """
    digests = (hashlib.blake2b(_name(photo), digest_size=8).digest() for photo in photos)
    keys = np.fromiter((int.from_bytes(digest, "little") for digest in digests), dtype=np.uint64)
    kinds, counts = np.unique(keys, return_counts=True)
    if len(kinds) == len(keys):
        return
    first, other = (photos[int(row)] for row in np.flatnonzero(keys == kinds[counts > 1][0])[:2])
    raise UserError(
        f"--format {form} names photos without their folders, and '{first}' and '{other}' "
        "would be one: use --format csv, or one folder at a time"
    )


def _name(photo: Path) -> bytes:
    return photo.name.encode("utf-8", "surrogateescape")
