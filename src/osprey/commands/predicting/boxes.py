"""A detector's answers, or those of a detector and a classifier."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from osprey.commands.predicting.answers import Answer, tell
from osprey.runs.folder import RunFolder

if TYPE_CHECKING:
    from osprey.tasks.detection.predictor import BoxPredictor


def predict_boxes(arguments: argparse.Namespace, run: RunFolder, photos: list[Path]) -> int:
    """Find what is on ``photos`` as the command line says."""
    predictor = load_detector(arguments, run)
    answers = (Answer(*found) for found in predictor.predict_opened(photos))
    return tell(arguments, photos, predictor.classes, answers, detector=_name(run))


def predict_two_step(
    arguments: argparse.Namespace, detector: RunFolder, classifier: RunFolder, photos: list[Path]
) -> int:
    """Find what is on ``photos``, then name each, as the command line says."""
    from osprey.pipelines.two_step import TwoStep
    from osprey.tasks.classification.predictor import Predictor

    first = load_detector(arguments, detector)
    second = Predictor(classifier.best, first.device, arguments.tta)
    model = f"{second.metadata.model.name}, {len(second.classes)} classes"
    print(f"model: {classifier.best} ({model})", file=sys.stderr)
    steps = TwoStep(first, second, fallback=arguments.full_image_fallback)
    answers = (
        Answer(found.prediction, pixels)
        if found.prediction.failure is not None
        else Answer(
            *(found.prediction, pixels, *found.summary(second.classes)),
            found.species(second.classes),
        )
        for found, pixels in steps.predict_opened(photos)
    )
    made = {"detector": _name(detector), "classifier": _name(classifier)}
    return tell(arguments, photos, first.classes, answers, second.classes, **made)


def _name(run: RunFolder) -> str:
    """``name/stamp``: which run it is, wherever it lies."""
    return "/".join(run.path.resolve().parts[-2:])


def load_detector(arguments: argparse.Namespace, run: RunFolder) -> BoxPredictor:
    """The detector of a run; says which it is."""
    from osprey.system.devices import pick_device
    from osprey.tasks.detection.predictor import BoxPredictor

    # One photo is answered sooner without waking a GPU; many are worth it.
    device = pick_device("cpu" if arguments.image else "auto")
    predictor = BoxPredictor(run.best, device, arguments.min_score)
    names = ", ".join(predictor.classes[:8]) + (", ..." if len(predictor.classes) > 8 else "")
    print(f"model: {run.best} ({predictor.metadata.model.name}: {names})", file=sys.stderr)
    return predictor
