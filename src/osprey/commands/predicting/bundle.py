"""``osprey predict --model``: a bundle answers, without PyTorch."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from osprey.errors import UnreadableImage, UserError
from osprey.imaging.decode_errors import one_line
from osprey.system.console import say, warn
from osprey.system.paths import existing_photo

if TYPE_CHECKING:
    from osprey.inference.predictor import Predictor

# What a run's own predictor does and a bundle does not, by attribute.
_OF_RUNS = ("run", "detector", "classifier", "min_score", "full_image_fallback", "excel")


def predict_bundle(arguments: argparse.Namespace) -> int:
    """Answer about a photo, a folder, a video or cameras.

    Args:
        arguments: The command line.

    Returns:
        The exit code: 1 with ``--strict`` if a photo could not be read, else 0.

    Raises:
        UserError: Options do not go together, or there is no such bundle.
        UnreadableImage: What is asked about cannot be read.
    """
    _check(arguments)
    if arguments.video or arguments.camera:
        from osprey.commands.predicting import moving

        moving.check_outputs(arguments)
        if arguments.video:  # opened before a network is loaded
            video = moving.open_file(arguments.video)
            return moving.answer_video(arguments, video, _open(arguments))
        cameras = moving.open_cameras(arguments.camera)
        return moving.answer_cameras(arguments, cameras, _open(arguments))
    if arguments.folder:
        from osprey.commands.classifying.many import classify_many

        arguments.list = None
        return classify_many(arguments, _open(arguments))
    photo = existing_photo(arguments.image)
    predictor = _open(arguments)
    answer = predictor.one(photo)
    if answer.failure is not None:
        raise UnreadableImage(answer.failure)
    record = answer.record(predictor.classes)
    if "detections" in record:
        say(json.dumps(record, ensure_ascii=False))
    else:
        named = answer.ranked if arguments.verbose else answer.labels
        say(str(named(predictor.classes)))
    return 0


def _open(arguments: argparse.Namespace) -> Predictor:
    from osprey.inference.registry import find_bundle
    from osprey.inference.two_step import open_bundle

    places = Path(arguments.registry), Path(arguments.runs)
    folder, name = find_bundle(arguments.model, *places)
    predictor = open_bundle(folder)
    card = predictor.card
    warn(f"model: {name} ({one_line(f'{card.name}, {card.model}')})")
    return predictor


def _check(arguments: argparse.Namespace) -> None:
    """Refuse options that do not go together, before anything is opened."""
    for key in _OF_RUNS:
        if not (getattr(arguments, key) is None or getattr(arguments, key) is False):
            raise UserError(f"--{key.replace('_', '-')} is not for a bundle: leave --model out")
    if arguments.tta != "none":
        raise UserError("--tta is not for a bundle: leave --model out")
    moving = arguments.video or arguments.camera
    if arguments.folder and not arguments.output:
        raise UserError("--folder needs --output FILE to write its table to")
    if arguments.image and arguments.output:
        raise UserError("--output goes with --folder, --video or --camera")
    if arguments.format and not arguments.folder:
        raise UserError("--format goes with --folder")
    if arguments.strict and not arguments.folder:
        raise UserError("--strict goes with --folder: alone, what cannot be read is an error")
    if arguments.save_dir and not moving:
        raise UserError("--save-dir of a bundle goes with --video or --camera")
    if arguments.realtime and not arguments.video:
        raise UserError("--realtime goes with --video")
