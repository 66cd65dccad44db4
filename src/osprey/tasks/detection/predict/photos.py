"""A detector's answers about photos."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from osprey.runs.folder import RunFolder
from osprey.system.console import warn
from osprey.tasks.detection.predict.answers import Answer, pictures_of, tell

if TYPE_CHECKING:
    from osprey.tasks.detection.predictor import BoxPredictor


def predict_boxes(arguments: argparse.Namespace, run: RunFolder, photos: list[Path]) -> int:
    """Find what is on ``photos`` as the command line says; returns the exit code."""
    pictures = pictures_of(arguments, photos)  # refused before a network is loaded
    predictor = load_detector(arguments, run)
    answers = (Answer(*found) for found in predictor.predict_opened(photos))
    classes = predictor.classes
    return tell(arguments, photos, classes, answers, pictures=pictures, detector=run.full_name)


def load_detector(arguments: argparse.Namespace, run: RunFolder) -> BoxPredictor:
    """The detector of a run; says which it is."""
    from osprey.system.devices import pick_device
    from osprey.tasks.detection.predictor import BoxPredictor

    # One photo is answered sooner without waking a GPU; many are worth it.
    device = pick_device("cpu" if arguments.image else "auto")
    predictor = BoxPredictor(run.best, device, arguments.min_score)
    names = ", ".join(predictor.classes[:8]) + (", ..." if len(predictor.classes) > 8 else "")
    warn(f"model: {run.best} ({predictor.metadata.model.name}: {names})")
    return predictor
