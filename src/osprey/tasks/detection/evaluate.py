"""Validate and test a detector's checkpoint."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from osprey.data.manifest import Manifest
from osprey.runs.folder import RunFolder
from osprey.tasks.detection.callbacks import ChooseThresholds, KeepBoxes
from osprey.tasks.detection.metrics import compute_metrics
from osprey.tasks.detection.module import Detection
from osprey.tasks.detection.outputs import write_boxes
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
        ``ChooseThresholds.figures``.
    """
    choosing = ChooseThresholds(run, manifest.split("val"))
    evaluate(module, settings, manifest, "val", choosing, validate=True)
    return choosing.figures


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
    write_boxes(predictions, kept.outputs, metadata.classes)
    # A checkpoint of an epoch that was not the best has none chosen yet.
    thresholds = metadata.thresholds or [0.5] * len(metadata.classes)
    return compute_metrics(kept.outputs, thresholds, metadata.classes, kept.groups)
