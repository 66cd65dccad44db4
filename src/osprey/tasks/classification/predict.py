"""A classifier's answers: printed for one photo, a table for a folder."""

from __future__ import annotations

import argparse
import csv
import json
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from osprey.errors import UnreadableImage, UserError
from osprey.runs.folder import RunFolder
from osprey.system.files import atomic_path

if TYPE_CHECKING:
    from osprey.tasks.classification.predictor import Prediction, Predictor


def predict_classes(arguments: argparse.Namespace, run: RunFolder, photos: list[Path]) -> int:
    """Name what is on ``photos`` as the command line says."""
    started = time.perf_counter()
    from osprey.system.devices import pick_device
    from osprey.tasks.classification.predictor import Predictor

    # One photo is answered sooner without waking a GPU; many are worth it.
    predictor = Predictor(
        run.best, pick_device("cpu" if arguments.image else "auto"), arguments.tta
    )
    loaded = time.perf_counter() - started
    model = f"{predictor.metadata.model.name}, {len(predictor.classes)} classes"
    print(f"model: {run.best} ({model})", file=sys.stderr)
    if arguments.image:
        return _one(predictor, photos[0], arguments.verbose, loaded)
    failed = _many(predictor, photos, Path(arguments.output), arguments.format)
    return 1 if failed and arguments.strict else 0


def _one(predictor: Predictor, photo: Path, verbose: bool, loaded: float) -> int:
    started = time.perf_counter()
    prediction = next(predictor.predict([photo]))
    if prediction.failure is not None:
        raise UnreadableImage(prediction.failure)
    ranked = prediction.top(predictor.classes)
    if not verbose:
        print([ranked[0][0]])
        return 0
    print([[label, round(p, 4)] for label, p in ranked])
    milliseconds = 1e3 * (time.perf_counter() - started)
    print(f"model loaded in {loaded:.1f} s, answered in {milliseconds:.0f} ms", file=sys.stderr)
    return 0


def _many(predictor: Predictor, photos: Sequence[Path], output: Path, form: str | None) -> int:
    """Write the table whole or not at all; how many photos could not be read."""
    kind = form or ("json" if output.suffix.lower() == ".json" else "csv")
    writer = {"csv": _write_csv, "json": _write_json, "submission": _write_submission}[kind]
    failures: list[Prediction] = []

    def seen() -> Iterable[Prediction]:
        for prediction in predictor.predict(photos):
            if prediction.failure is not None:
                failures.append(prediction)
            yield prediction

    started = time.perf_counter()
    with (
        atomic_path(output) as partial,
        # Names that are no UTF-8, as old cards have them, are written with escapes.
        partial.open("w", newline="", encoding="utf-8", errors="backslashreplace") as file,
    ):
        writer(file, seen(), predictor.classes)
    rate = len(photos) / (time.perf_counter() - started)
    print(f"{len(photos)} photos, {rate:.0f} a second: {output}", file=sys.stderr)
    if failures:
        print(
            f"{len(failures)} could not be read and have no label, first: {failures[0].failure}",
            file=sys.stderr,
        )
    return len(failures)


def _write_csv(file: TextIO, predictions: Iterable[Prediction], classes: list[str]) -> None:
    writer = csv.writer(file)
    writer.writerow(["file", "label", "score", "failure"])
    for prediction in predictions:
        record = prediction.record(classes)
        writer.writerow([record.get(key, "") for key in ("file", "label", "score", "failure")])


def _write_json(file: TextIO, predictions: Iterable[Prediction], classes: list[str]) -> None:
    """A JSON array written record by record, so that a million photos need no memory."""
    file.write("[")
    for number, prediction in enumerate(predictions):
        record = json.dumps(prediction.record(classes), ensure_ascii=False)
        file.write((",\n " if number else "\n ") + record)
    file.write("\n]\n")


def _write_submission(file: TextIO, predictions: Iterable[Prediction], classes: list[str]) -> None:
    """One column a class, as the fisheries competition wants it; unread files stay empty."""
    writer = csv.writer(file)
    writer.writerow(["image", *classes])
    names: set[str] = set()
    for prediction in predictions:
        name = Path(prediction.file).name
        if name in names:
            raise UserError(
                f"--format submission names photos without their folders, and '{name}' is there "
                "twice; use csv, or one folder at a time"
            )
        names.add(name)
        p = prediction.probabilities
        cells = [""] * len(classes) if p is None else [f"{value:.6f}" for value in p]
        writer.writerow([name, *cells])
