"""A detector's answers: printed or drawn for one photo, annotations for a folder."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from osprey.commands.predicting.inputs import folder_to_write
from osprey.commands.predicting.pictures import Pictures
from osprey.commands.predicting.tables import BoxTable, say_failures
from osprey.errors import UnreadableImage
from osprey.training.run_folder import RunFolder

if TYPE_CHECKING:
    from osprey.training.detecting.predictor import BoxPrediction, BoxPredictor


def predict_boxes(arguments: argparse.Namespace, run: RunFolder, photos: list[Path]) -> int:
    """Find what is on ``photos`` as the command line says."""
    target = folder_to_write(arguments.save_dir, "--save-dir") if arguments.save_dir else None
    predictor = load_detector(run, arguments)
    pictures = Pictures(target, photos, arguments.folder) if target else None
    answers = _answers(predictor, photos, pictures)
    if arguments.image:
        prediction = next(answers)
        if prediction.failure is not None:
            raise UnreadableImage(prediction.failure)
        record = {"file": prediction.file, "detections": prediction.boxes(predictor.classes)}
        print(json.dumps(record, ensure_ascii=False))
        return 0
    started = time.perf_counter()
    table = BoxTable(Path(arguments.folder), predictor.classes)
    for prediction in answers:
        table.add(prediction)
    table.write(Path(arguments.output), arguments.format)
    rate = len(photos) / (time.perf_counter() - started)
    boxes = len(table.found.boxes)
    print(
        f"{len(photos)} photos, {boxes} boxes, {rate:.0f} a second: {arguments.output}",
        file=sys.stderr,
    )
    say_failures(table.failures)
    return 1 if table.failures and arguments.strict else 0


def load_detector(run: RunFolder, arguments: argparse.Namespace) -> BoxPredictor:
    """The detector of a run; says which it is."""
    from osprey.training.detecting.predictor import BoxPredictor
    from osprey.training.devices import pick_device

    device = pick_device("cpu" if arguments.image else "auto")
    predictor = BoxPredictor(run.best, device, arguments.min_score)
    names = ", ".join(predictor.classes[:8]) + (", ..." if len(predictor.classes) > 8 else "")
    print(f"model: {run.best} ({predictor.facts.model.name}: {names})", file=sys.stderr)
    return predictor


def _answers(
    predictor: BoxPredictor, photos: list[Path], pictures: Pictures | None
) -> Iterator[BoxPrediction]:
    for photo, (prediction, pixels) in zip(photos, predictor.predict_opened(photos), strict=True):
        if pictures is not None and prediction.detections is not None:
            texts = [f"{b['label']} {b['score']:.2f}" for b in prediction.boxes(predictor.classes)]
            pictures.draw(photo, prediction.detections, texts, pixels)
        yield prediction
