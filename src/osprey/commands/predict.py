"""``osprey predict``: name or find what is on a photo, or on every photo of a folder."""

from __future__ import annotations

from pathlib import Path

from osprey.commands.predicting import options
from osprey.commands.predicting.inputs import existing_photo, photos_of, run_with_model


def main(argv: list[str]) -> int:
    """Predict as ``argv`` says."""
    arguments = options.parser().parse_args(argv)
    run = run_with_model(arguments.run or "latest", Path(arguments.runs))
    task = run.task or "classification"
    options.check(arguments, task)
    if arguments.image:
        photos = [existing_photo(arguments.image)]
    else:
        photos = photos_of(arguments.folder, arguments.output)
    if task == "detection":
        from osprey.commands.predicting.boxes import predict_boxes

        return predict_boxes(arguments, run, photos)
    from osprey.commands.predicting.classes import predict_classes

    return predict_classes(arguments, run, photos)
