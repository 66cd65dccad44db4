"""Test a detector's checkpoint, and choose the thresholds that it keeps."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from osprey.config.schema import TrainConfig
from osprey.data.manifest import Manifest
from osprey.models.checkpoint import METADATA_KEY, load_model, read_checkpoint, write_checkpoint
from osprey.runs.folder import RunFolder
from osprey.tasks.detection.metrics import best_thresholds, compute_metrics
from osprey.tasks.detection.outputs import run_detector, write_boxes


def choose_thresholds(run: RunFolder, config: TrainConfig, manifest: Manifest) -> dict[str, Any]:
    """Choose each class's threshold on validation and write it into best.ckpt.

    Returns:
        Plain data for the summary: ``thresholds`` by class name, and ``val``.
    """
    model, metadata = load_model(run.best, config.trainer.rewrites)
    limit = config.trainer.limit_eval_batches
    outputs = run_detector(model, metadata, manifest, "val", config, limit)
    thresholds = best_thresholds(outputs, len(metadata.classes))
    content = read_checkpoint(run.best)
    content[METADATA_KEY] = replace(metadata, thresholds=thresholds).to_dict()
    write_checkpoint(content, run.best)
    write_boxes(run.path / "predictions_val.csv", outputs, metadata.classes)
    return {
        "thresholds": dict(zip(metadata.classes, thresholds, strict=True)),
        "val": compute_metrics(outputs, thresholds, metadata.classes),
    }


def test(
    checkpoint: Path, config: TrainConfig, manifest: Manifest, split: str, predictions: Path
) -> dict[str, Any]:
    """Figures of one checkpoint on one split; every box found goes to ``predictions``."""
    model, metadata = load_model(checkpoint, config.trainer.rewrites)
    limit = config.trainer.limit_eval_batches
    outputs = run_detector(model, metadata, manifest, split, config, limit)
    write_boxes(predictions, outputs, metadata.classes)
    # A checkpoint of an epoch that was not the best has none chosen yet.
    thresholds = metadata.thresholds or [0.5] * len(metadata.classes)
    return compute_metrics(outputs, thresholds, metadata.classes)
