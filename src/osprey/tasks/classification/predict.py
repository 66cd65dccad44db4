"""A classifier's answers: printed for one photo, a table for a folder."""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from osprey.errors import UnreadableImage
from osprey.runs.folder import RunFolder
from osprey.system.console import counted, say, warn
from osprey.tasks.answers import (
    SUBMISSION,
    SUBMISSION_IDS,
    record_forms,
    refuse_same_names,
    write_answers,
)

if TYPE_CHECKING:
    from osprey.tasks.classification.predictor import Predictor


def predict_classes(
    arguments: argparse.Namespace, run: RunFolder, photos: Sequence[Path], columns: Sequence[str]
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
    if arguments.format in ("submission", "ids"):
        refuse_same_names(photos, arguments.format)
    forms = {**record_forms(columns), "submission": SUBMISSION, "ids": SUBMISSION_IDS}
    failed = write_answers(predictor, photos, arguments, forms, "label")
    return 1 if failed and arguments.strict else 0


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
