"""A classifier's answers: printed for one photo, a table for a folder."""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from osprey.errors import UnreadableImage, UserError
from osprey.runs.folder import RunFolder
from osprey.system.console import counted, say, warn
from osprey.tasks.answers import TableForm, csv_row, record_forms, write_answers

if TYPE_CHECKING:
    from osprey.tasks.classification.predictor import Prediction, Predictor


def predict_classes(
    arguments: argparse.Namespace, run: RunFolder, photos: list[Path], columns: Sequence[str]
) -> int:
    """Predict ``photos`` as the command line says.

    Args:
        arguments: The command line.
        run: Its best checkpoint is used.
        photos: One photo, or those of a folder.
        columns: Columns of a CSV table.

    Returns:
        The exit code.

    Raises:
        UnreadableImage: The single photo cannot be read.
        UserError: ``--format submission`` and two photos with the same file name.
    """
    started = time.perf_counter()
    from osprey.system.devices import pick_device
    from osprey.tasks.classification.predictor import Predictor

    # One photo is answered sooner without waking a GPU; many are worth it.
    predictor = Predictor(
        run.best, pick_device("cpu" if arguments.image else "auto"), arguments.tta
    )
    loaded = time.perf_counter() - started
    model = f"{predictor.metadata.model.name}, {counted(len(predictor.classes), 'class')}"
    warn(f"model: {run.best} ({model})")
    if arguments.image:
        return _one(predictor, photos[0], arguments.verbose, loaded)
    if arguments.format == "submission":
        _check_names(photos)
    # One column a class, as the fisheries competition wants it; unread files stay empty.
    submission = TableForm(lambda classes: csv_row(["image", *classes]), _submission_row)
    forms = {**record_forms(columns), "submission": submission}
    failed = write_answers(predictor, photos, arguments, forms, "label")
    return 1 if failed and arguments.strict else 0


def _check_names(photos: Sequence[Path]) -> None:
    """Refuse photos of one name in different folders, before any is asked about."""
    known: dict[str, Path] = {}
    for photo in photos:
        other = known.setdefault(photo.name, photo)
        if other is not photo:
            raise UserError(
                f"--format submission names photos without their folders, and '{other}' and "
                f"'{photo}' would be one: use --format csv, or one folder at a time"
            )


def _one(predictor: Predictor, photo: Path, verbose: bool, loaded: float) -> int:
    started = time.perf_counter()
    prediction = next(predictor.predict([photo]))
    if prediction.failure is not None:
        raise UnreadableImage(prediction.failure)
    ranked = prediction.top(predictor.classes)
    if not verbose:
        say(str([ranked[0][0]]))
        return 0
    say(str([[label, round(p, 4)] for label, p in ranked]))
    milliseconds = 1e3 * (time.perf_counter() - started)
    warn(f"model loaded in {loaded:.1f} s, answered in {milliseconds:.0f} ms")
    return 0


def _submission_row(prediction: Prediction, classes: list[str]) -> str:
    p = prediction.probabilities
    cells = [""] * len(classes) if p is None else [f"{value:.6f}" for value in p]
    return csv_row([Path(prediction.file).name, *cells])
