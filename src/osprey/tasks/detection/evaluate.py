"""Validate and test a detector's checkpoint."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from osprey.data.manifest import Manifest
from osprey.runs.folder import RunFolder
from osprey.system.console import say
from osprey.system.launcher import is_first
from osprey.tasks.detection.callbacks import ChooseThresholds, KeepBoxes
from osprey.tasks.detection.metrics import compute_metrics, source_metrics
from osprey.tasks.detection.module import Detection
from osprey.tasks.detection.outputs import write_boxes
from osprey.tasks.detection.prediction import UNCHOSEN
from osprey.tasks.evaluation import EvaluationSettings, evaluate


def validate(
    run: RunFolder, module: Detection, settings: EvaluationSettings, manifest: Manifest
) -> dict[str, Any]:
    """Validate the best checkpoint and choose its thresholds.

    Args:
        run: The run.
        module: Of its best checkpoint, made by `testing_module`.
        settings: Batches and devices.
        manifest: Its samples.

    Returns:
        ``ChooseThresholds.figures``, and those of each source of a join.
    """
    choosing = ChooseThresholds(run, manifest.split("val"))
    evaluate(module, settings, manifest, "val", choosing, validate=True)
    thresholds, classes = list(choosing.figures["thresholds"].values()), module.metadata.classes
    sources = source_metrics(settings.data, choosing.part, choosing.outputs, thresholds, classes)
    return {**choosing.figures, "val": {**choosing.figures["val"], **sources}}


def test(
    module: Detection,
    settings: EvaluationSettings,
    manifest: Manifest,
    split: str,
    predictions: Path,
) -> dict[str, Any]:
    """Metrics of one checkpoint on one split.

    Args:
        module: Made by `testing_module` of the checkpoint.
        settings: Batches and devices.
        manifest: The samples.
        split: Which of them.
        predictions: CSV file for every box found.

    Returns:
        Plain data, see `compute_metrics`.

    Raises:
        DataError: The split is empty.
    """
    kept, metadata = KeepBoxes(manifest.split(split)), module.metadata
    evaluate(module, settings, manifest, split, kept)
    write_boxes(predictions, kept.everything, metadata.classes)
    thresholds = metadata.thresholds
    if thresholds is None:
        thresholds = [UNCHOSEN] * len(metadata.classes)
        if is_first():
            say(
                f"note    thresholds of {UNCHOSEN:.2f} are a default: those of the best epoch are "
                "chosen on validation at the end of the run"
            )
    classes = metadata.classes
    figures = compute_metrics(kept.outputs, thresholds, classes, kept.groups)
    return figures | source_metrics(settings.data, kept.part, kept.outputs, thresholds, classes)
