"""``osprey predict`` with a detector on photos."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from osprey.runs.folder import RunFolder
from osprey.system.console import warn
from osprey.tasks.detection.predict.answers import Answer, pictures_of, tell

if TYPE_CHECKING:
    from osprey.tasks.detection.predictor import BoxPredictor


def predict_boxes(arguments: argparse.Namespace, run: RunFolder, photos: Sequence[Path]) -> int:
    """Detect objects on ``photos`` as the command line says.

    Args:
        arguments: The command line.
        run: Its best checkpoint is used.
        photos: One photo, or those of a folder.

    Returns:
        The exit code.

    Raises:
        UnreadableImage: The single photo cannot be read.
        UserError: ``--save-dir`` is among the photos.
    """
    pictures = pictures_of(arguments, photos)  # refused before a network is loaded
    predictor = load_detector(arguments, run)
    if pictures is not None:
        pictures.value_range = predictor.preprocess.value_range

    def ask(some: Sequence[Path]) -> Iterator[Answer]:
        return (Answer(*found) for found in predictor.predict_opened(some))

    return tell(arguments, photos, predictor.classes, ask, pictures=pictures, detector=run)


def load_detector(arguments: argparse.Namespace, run: RunFolder) -> BoxPredictor:
    """Load a run's detector and print its name.

    Args:
        arguments: The command line.
        run: Its best checkpoint is loaded.

    Returns:
        The predictor, on the CPU for a single photo.

    Raises:
        CheckpointError: The checkpoint is refused, or is not a detector's.
    """
    from osprey.system.devices import pick_device
    from osprey.tasks.detection.predictor import BoxPredictor

    # One photo is answered sooner without waking a GPU; many are worth it.
    device = pick_device("cpu" if arguments.image else "auto")
    predictor = BoxPredictor(run.best, device, arguments.min_score)
    names = ", ".join(predictor.classes[:8]) + (", ..." if len(predictor.classes) > 8 else "")
    warn(f"model: {run.best} ({predictor.metadata.model.name}: {names})")
    return predictor
