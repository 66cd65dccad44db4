"""Answers about photos as ``osprey predict`` gives them: a line for one, a table for many."""

from __future__ import annotations

import argparse
import csv
import io
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from osprey.errors import UnreadableImage
from osprey.system.console import counted, say, warn
from osprey.system.outputs import BYTE_ORDER_MARK, output_path
from osprey.tasks.journal import PredictionJournal

if TYPE_CHECKING:
    from osprey.tasks.predictor import Answer, PhotoPredictor


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
    predictor: PhotoPredictor[Any],
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
    failures: list[str] = []
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
                    failures.append(failure)
            file.write(form.tail)
    rate = len(journal.todo) / (time.perf_counter() - started)
    warn(f"{counted(len(photos), 'photo')}, {rate:.0f} a second: {output}")
    if failures:
        count = counted(len(failures), "photo")
        warn(f"{count} could not be read, so without {lacking}, first: {failures[0]}")
    return len(failures)


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
