"""``osprey predict``: name or find what is on a photo, or on every photo of a folder."""

from __future__ import annotations

import argparse
from pathlib import Path

from osprey.commands.predicting import options
from osprey.commands.predicting.inputs import (
    existing_photo,
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
    options.check(arguments, task)
    if arguments.video or arguments.camera is not None:
        from osprey.commands.predicting.video import open_source, predict_video

        return predict_video(arguments, run, open_source(arguments))
    photos = _photos(arguments)
    if task == "detection":
        from osprey.commands.predicting.boxes import predict_boxes

        return predict_boxes(arguments, run, photos)
    from osprey.commands.predicting.classes import predict_classes

    return predict_classes(arguments, run, photos)


def _two_steps(arguments: argparse.Namespace) -> int:
    runs = Path(arguments.runs)
    detector = run_of_task(arguments.detector, runs, "detection", "--detector")
    classifier = run_of_task(arguments.classifier, runs, "classification", "--classifier")
    options.check(arguments, "two steps")
    photos = _photos(arguments)
    from osprey.commands.predicting.boxes import predict_two_step

    return predict_two_step(arguments, detector, classifier, photos)


def _photos(arguments: argparse.Namespace) -> list[Path]:
    """The photos asked about; pictures of them that cannot be written are refused at once."""
    if arguments.image:
        return [existing_photo(arguments.image)]
    photos = photos_of(arguments.folder, arguments.output)
    if arguments.save_dir:
        from osprey.commands.predicting.pictures import Pictures

        Pictures(Path(arguments.save_dir), photos, Path(arguments.folder).expanduser())
    return photos
