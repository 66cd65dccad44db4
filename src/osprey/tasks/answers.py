"""Answers about photos as ``osprey predict`` gives them: a line for one, a table for many."""

from __future__ import annotations

import argparse
import csv
import json
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from osprey.errors import UnreadableImage
from osprey.system.console import say, warn
from osprey.system.outputs import output_path

if TYPE_CHECKING:
    from osprey.tasks.predictor import Answer, PhotoPredictor

Writer = Callable[[TextIO, Iterable[Any], list[str]], None]  # file, answers, classes


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
    failed = write_answers(
        predictor,
        photos,
        arguments.output,
        arguments.format,
        record_writers(columns),
        force=arguments.force,
    )
    return 1 if failed and arguments.strict else 0


def write_answers(
    predictor: PhotoPredictor[Any],
    photos: Sequence[Path],
    output: str,
    form: str | None,
    writers: Mapping[str, Writer],
    lacking: str = "answer",
    *,
    force: bool = False,
) -> int:
    """Write a table atomically.

    Args:
        predictor: The task's predictor.
        photos: The photos to predict.
        output: The file; ``-`` is standard output.
        form: One of ``writers``; None: JSON or CSV by the file's suffix.
        writers: Functions that write answers to an open file, by format.
        lacking: What a photo that cannot be read has none of, for the message.
        force: Replace a file that Osprey did not write.

    Returns:
        How many photos could not be read.

    Raises:
        UserError: The file exists and Osprey did not write it, or it cannot be written.
    """
    kind = form or ("json" if Path(output).suffix.lower() == ".json" else "csv")
    failures: list[str] = []

    def seen() -> Iterable[Answer]:
        for answer in predictor.predict(photos):
            if answer.failure is not None:
                failures.append(answer.failure)
            yield answer

    started = time.perf_counter()
    with (
        output_path(output, "--output", force=force) as partial,
        # Names that are no UTF-8, as old cards have them, are written with escapes.
        partial.open("w", newline="", encoding="utf-8", errors="backslashreplace") as file,
    ):
        writers[kind](file, seen(), predictor.classes)
    rate = len(photos) / (time.perf_counter() - started)
    warn(f"{len(photos)} photos, {rate:.0f} a second: {output}")
    if failures:
        warn(f"{len(failures)} could not be read and have no {lacking}, first: {failures[0]}")
    return len(failures)


def record_writers(columns: Sequence[str]) -> dict[str, Writer]:
    """Writers of records for `write_answers`.

    Args:
        columns: Columns of ``csv``; ``json`` has every field.

    Returns:
        Writers by format.
    """

    def write_csv(file: TextIO, answers: Iterable[Answer], classes: list[str]) -> None:
        writer = csv.writer(file)
        writer.writerow(columns)
        for answer in answers:
            record = answer.record(classes)
            writer.writerow([record.get(key, "") for key in columns])

    return {"csv": write_csv, "json": _write_json}


def _write_json(file: TextIO, answers: Iterable[Answer], classes: list[str]) -> None:
    """A JSON array written record by record, so that memory does not grow with their number."""
    file.write("[")
    for number, answer in enumerate(answers):
        record = json.dumps(answer.record(classes), ensure_ascii=False)
        file.write((",\n " if number else "\n ") + record)
    file.write("\n]\n")
