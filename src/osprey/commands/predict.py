"""``osprey predict``: name or find what is on a photo, or on every photo of a folder."""

from __future__ import annotations

import argparse
from pathlib import Path

from osprey.commands.predicting import options
from osprey.commands.predicting.inputs import (
    existing_photo,
    folder_to_write,
    photos_of,
    run_of_task,
    run_with_model,
)


def main(argv: list[str]) -> int:
    """Predict as ``argv`` says."""
    arguments = options.parser().parse_args(argv)
    if options.two_steps(arguments):
        return _two_steps(arguments)
    run = run_with_model(arguments.run or "latest", Path(arguments.runs))
    task = run.task or "classification"
    photos = _checked(arguments, task)
    if task == "detection":
        from osprey.commands.predicting.boxes import predict_boxes

        return predict_boxes(arguments, run, photos)
    from osprey.commands.predicting.classes import predict_classes

    return predict_classes(arguments, run, photos)


def _two_steps(arguments: argparse.Namespace) -> int:
    runs = Path(arguments.runs)
    detector = run_of_task(arguments.detector, runs, "detection", "--detector")
    classifier = run_of_task(arguments.classifier, runs, "classification", "--classifier")
    photos = _checked(arguments, "two steps")
    from osprey.commands.predicting.boxes import predict_two_step

    return predict_two_step(arguments, detector, classifier, photos)


def _checked(arguments: argparse.Namespace, task: str) -> list[Path]:
    """The photos asked about, every other word of the command line checked."""
    options.check(arguments, task)
    if arguments.save_dir is not None:
        folder_to_write(arguments.save_dir, "--save-dir")
    if arguments.image:
        return [existing_photo(arguments.image)]
    return photos_of(arguments.folder, arguments.output)
