"""Validate and test a detector's checkpoint."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from osprey.config.schema import TrainConfig
from osprey.data.manifest import Manifest
from osprey.models.checkpoint import load_model
from osprey.runs.folder import RunFolder
from osprey.tasks.detection.callbacks import ChooseThresholds, KeepBoxes
from osprey.tasks.detection.metrics import compute_metrics
from osprey.tasks.detection.outputs import write_boxes
from osprey.tasks.evaluation import evaluate, testing_module


def validate(run: RunFolder, config: TrainConfig, manifest: Manifest) -> dict[str, Any]:
    """Validate the best checkpoint and choose its thresholds.

    Args:
        run: The run.
        config: Its settings.
        manifest: Its samples.

    Returns:
        ``ChooseThresholds.figures``.
    """
    module = testing_module(*load_model(run.best, config.trainer.rewrites), config)
    choosing = ChooseThresholds(run, manifest.split("val"))
    evaluate(module, manifest, "val", choosing, validate=True)
    return choosing.figures


def test(
    checkpoint: Path, config: TrainConfig, manifest: Manifest, split: str, predictions: Path
) -> dict[str, Any]:
    """Metrics of one checkpoint on one split.

    Args:
        checkpoint: The checkpoint.
        config: The run's settings.
        manifest: The samples.
        split: Which of them.
        predictions: CSV file for every box found.

    Returns:
        Plain data, see `compute_metrics`.

    Raises:
        CheckpointError: The checkpoint is refused.
        DataError: The split is empty.
    """
    module = testing_module(*load_model(checkpoint, config.trainer.rewrites), config)
    kept, metadata = KeepBoxes(manifest.split(split)), module.metadata
    evaluate(module, manifest, split, kept)
    write_boxes(predictions, kept.outputs, metadata.classes)
    # A checkpoint of an epoch that was not the best has none chosen yet.
    thresholds = metadata.thresholds or [0.5] * len(metadata.classes)
    return compute_metrics(kept.outputs, thresholds, metadata.classes)
