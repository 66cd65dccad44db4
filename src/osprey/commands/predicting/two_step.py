"""A detector's answers with a classifier's name for each box."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import cast

from osprey.runs.folder import RunFolder
from osprey.system.console import counted, warn
from osprey.tasks.detection.predict.answers import Answer, pictures_of, tell
from osprey.tasks.detection.predict.photos import load_detector
from osprey.tasks.detection.prediction import BoxPrediction


def predict_two_step(
    arguments: argparse.Namespace,
    detector: RunFolder,
    classifier: RunFolder,
    photos: Sequence[Path],
) -> int:
    """Find what is on ``photos``, then name each, as the command line says."""
    pictures = pictures_of(arguments, photos)  # refused before a network is loaded
    from osprey.pipelines.two_step import TwoStep
    from osprey.tasks.classification.predictor import Predictor

    first = load_detector(arguments, detector)
    second = Predictor(classifier.best, first.device, arguments.tta)
    model = f"{second.metadata.model.name}, {counted(len(second.classes), 'class')}"
    warn(f"model: {classifier.best} ({model})")
    steps = TwoStep(first, second, fallback=arguments.full_image_fallback)

    def ask(some: Sequence[Path]) -> Iterator[Answer]:
        for found, pixels in steps.predict_opened(some):
            prediction = cast("BoxPrediction", found.prediction)
            if prediction.failure is not None:
                yield Answer(prediction, pixels)
                continue
            whole, species = found.summary(second.classes), found.species(second.classes)
            yield Answer(prediction, pixels, *whole, species)

    made = {"detector": detector, "classifier": classifier}
    return tell(arguments, photos, first.classes, ask, second.classes, pictures=pictures, **made)
