"""``osprey predict``: name what is on a photo, or on every photo of a folder."""

from __future__ import annotations

import argparse
import csv
import json
import os
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from osprey.config.validate import TTA
from osprey.data.readers import existing_folder, walk_photos
from osprey.errors import DataError, UnreadableImage, UserError, nearest
from osprey.training.run_folder import find_run

if TYPE_CHECKING:
    from osprey.training.predict import Prediction, Predictor

FORMATS = ("csv", "json", "submission")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="osprey predict",
        description="Name what is on a photo, or on every photo of a folder.",
    )
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--image", metavar="PHOTO", help="one photo; prints ['LABEL']")
    what.add_argument("--folder", metavar="PHOTOS", help="every photo in it and below it")
    parser.add_argument("--run", default="latest", help="run folder (default: newest finished run)")
    parser.add_argument("--runs", default="runs", help="where runs are kept (default: runs)")
    parser.add_argument(
        "--tta",
        choices=TTA,
        default="none",
        help="answers averaged over the photo and its mirror image, or its 8 turned views",
    )
    parser.add_argument("--verbose", action="store_true", help="also scores, model and timing")
    parser.add_argument("--output", metavar="FILE", help="table to write, for --folder")
    parser.add_argument("--format", choices=FORMATS, help="of --output (default: by its ending)")
    return parser


def main(argv: list[str]) -> int:
    """Predict as ``argv`` says."""
    arguments = _parser().parse_args(argv)
    run = find_run(arguments.run, Path(arguments.runs))
    if not run.best.is_file():
        raise UserError(f"run '{run.path}' has no best.ckpt yet: it has not finished an epoch")
    if arguments.image:
        photos = [_existing_photo(arguments.image)]
        if arguments.output or arguments.format:
            raise UserError("--output and --format go with --folder")
    else:
        photos = _photos_of(arguments.folder, arguments.output)

    started = time.perf_counter()
    from osprey.training.devices import pick_device
    from osprey.training.predict import Predictor

    # One photo is answered sooner without waking a GPU; many are worth it.
    predictor = Predictor(
        run.best, pick_device("cpu" if arguments.image else "auto"), arguments.tta
    )
    loaded = time.perf_counter() - started
    model = f"{predictor.facts.model.name}, {len(predictor.classes)} classes"
    print(f"model: {run.best} ({model})", file=sys.stderr)
    if arguments.image:
        return _one(predictor, photos[0], arguments.verbose, loaded)
    return _many(predictor, photos, Path(arguments.output), arguments.format)


def _existing_photo(name: str) -> Path:
    path = Path(name)
    if path.is_dir():
        raise UserError(f"--image: '{name}' is a folder; use --folder")
    if not path.is_file():
        beside = [p.name for p in path.parent.iterdir()] if path.parent.is_dir() else []
        raise UserError(f"--image: there is no file '{name}'{nearest(path.name, beside)}")
    return path


def _photos_of(folder: str, output: str | None) -> list[Path]:
    if not output:
        raise UserError("--folder needs --output FILE to write its table to")
    root = existing_folder(folder, "--folder")
    target = Path(output)
    if target.is_dir():
        raise UserError(f"--output: '{output}' is a folder; name a file")
    if not target.parent.is_dir():
        raise UserError(f"--output: there is no folder '{target.parent}' to write to")
    photos = list(walk_photos(root))
    if not photos:
        raise DataError(f"--folder: no photos under '{folder}'")
    return photos


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
    """Write the table whole or not at all; count what could not be read."""
    kind = form or ("json" if output.suffix.lower() == ".json" else "csv")
    writer = {"csv": _write_csv, "json": _write_json, "submission": _write_submission}[kind]
    failures: list[Prediction] = []

    def seen() -> Iterable[Prediction]:
        for prediction in predictor.predict(photos):
            if prediction.failure is not None:
                failures.append(prediction)
            yield prediction

    started = time.perf_counter()
    temporary = output.with_name(f".{output.name}.{os.getpid()}")
    try:
        # Names that are no UTF-8, as old cards have them, are written with escapes.
        with temporary.open("w", newline="", encoding="utf-8", errors="backslashreplace") as file:
            writer(file, seen(), predictor.classes)
        os.replace(temporary, output)
    finally:
        temporary.unlink(missing_ok=True)
    rate = len(photos) / (time.perf_counter() - started)
    print(f"{len(photos)} photos, {rate:.0f} a second: {output}", file=sys.stderr)
    if failures:
        print(
            f"{len(failures)} could not be read and have no label, first: {failures[0].failure}",
            file=sys.stderr,
        )
    return 0


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
