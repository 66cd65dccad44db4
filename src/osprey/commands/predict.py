"""``osprey predict``: name or find what is on a photo, or on every photo of a folder."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from osprey.commands.command_line import use_plugins
from osprey.commands.predicting import options
from osprey.commands.predicting.inputs import run_of_task, run_with_model
from osprey.commands.predicting.photos import FolderPhotos, photos_of
from osprey.system.paths import existing_photo
from osprey.tasks.registry import DEFAULT_TASK, get_task


def main(argv: list[str]) -> int:
    """Predict as ``argv`` says."""
    arguments = options.parser().parse_args(argv)
    use_plugins(arguments)
    if arguments.model:
        from osprey.commands.predicting.bundle import predict_bundle

        return predict_bundle(arguments)
    if options.two_steps(arguments):
        return _two_steps(arguments)
    run = run_with_model(arguments.run or "latest", Path(arguments.runs))
    task = get_task(run.task or DEFAULT_TASK)
    options.check(arguments, task)
    if arguments.video or arguments.camera is not None:
        return task.predict_video(arguments, run)
    photos = _photos(arguments)
    return _strictly(arguments, photos, task.predict(arguments, run, photos))


def _strictly(arguments: argparse.Namespace, photos: Sequence[Path], code: int) -> int:
    """Exit code 1 where ``--strict`` is asked for and something of the folder was left out."""
    left_out = isinstance(photos, FolderPhotos) and bool(photos.passed)
    return 1 if code == 0 and arguments.strict and left_out else code


def _two_steps(arguments: argparse.Namespace) -> int:
    runs = Path(arguments.runs)
    detector = run_of_task(arguments.detector, runs, "detection", "--detector")
    classifier = run_of_task(arguments.classifier, runs, "classification", "--classifier")
    options.check(arguments, get_task("detection"), two_steps=True)
    photos = _photos(arguments)
    from osprey.commands.predicting.two_step import predict_two_step

    code = predict_two_step(arguments, detector, classifier, photos)
    return _strictly(arguments, photos, code)


def _photos(arguments: argparse.Namespace) -> Sequence[Path]:
    """The photos asked about."""
    if arguments.image:
        return [existing_photo(arguments.image)]
    return photos_of(arguments.folder, arguments.output, force=arguments.force)
