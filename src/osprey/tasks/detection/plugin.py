"""Runs that find the subjects on each photo."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from torch import nn

from osprey.config.schema import TrainConfig
from osprey.data.manifest import Manifest
from osprey.ensembling.ensemble import Combined
from osprey.models.checkpoint import (
    METADATA_KEY,
    CheckpointMetadata,
    load_model,
    read_checkpoint,
    write_checkpoint,
)
from osprey.runs.folder import RunFolder
from osprey.system.console import say, some_of
from osprey.tasks.detection.metrics import best_thresholds, compute_metrics
from osprey.tasks.detection.module import Detection
from osprey.tasks.detection.outputs import run_detector, write_boxes
from osprey.tasks.detection.pictures import draw_pictures as draw_pictures


def make_task(
    model: nn.Module, metadata: CheckpointMetadata, config: TrainConfig, manifest: Manifest
) -> Detection:
    """The task."""
    return Detection(model, metadata, config)


def conclude(
    run: RunFolder, config: TrainConfig, manifest: Manifest, combined: Combined | None
) -> dict[str, Any]:
    """Choose each class's threshold on validation and write it into best.ckpt."""
    model, metadata = load_model(run.best)
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
    checkpoint: Path,
    config: TrainConfig,
    manifest: Manifest,
    split: str,
    predictions: Path,
    tta: str = "none",
) -> dict[str, Any]:
    """Figures of one checkpoint on one split; every box found goes to ``predictions``."""
    model, metadata = load_model(checkpoint)
    limit = config.trainer.limit_eval_batches
    outputs = run_detector(model, metadata, manifest, split, config, limit)
    write_boxes(predictions, outputs, metadata.classes)
    # A checkpoint of an epoch that was not the best has none chosen yet.
    thresholds = metadata.thresholds or [0.5] * len(metadata.classes)
    return compute_metrics(outputs, thresholds, metadata.classes)


def metrics_line(figures: Mapping[str, Any]) -> str:
    """The headline figures of one split."""
    sizes = ", ".join(
        f"{name} {figures[f'ap_{name}']:.3f}"
        for name in ("small", "medium", "large")
        if figures[f"ap_{name}"] is not None
    )
    counts = f"n={figures['n']} photos, {figures['boxes']} boxes"
    if figures["map"] is None:
        empty = figures["empty"]
        alarms = f"false alarms on {empty['with_false_alarm']} of {empty['n']} photos"
        return f"no boxes, so no AP; {alarms} ({counts})"
    return (
        f"AP50 {figures['ap50']:.3f}, AP75 {figures['ap75']:.3f}, mAP {figures['map']:.3f} "
        f"({sizes}) ({counts})"
    )


def per_class_table(rows: Sequence[Mapping[str, Any]]) -> None:
    """AP of each class, and what its threshold makes of it; of many classes the extremes."""
    width = max(5, *(len(row["label"]) for row in rows))
    say(f"{'class':<{width}}      n   AP50     AP  threshold  precision  recall     F1")
    for row in some_of(rows, "ap50"):
        say(
            row
            if isinstance(row, str)
            else f"{row['label']:<{width}} {row['n']:>6}  {_three(row['ap50'])}  "
            f"{_three(row['ap'])}  {row['threshold']:>9.2f}  {row['precision']:>9.3f}  "
            f"{row['recall']:>6.3f}  {row['f1']:>5.3f}"
        )


def _three(value: float | None) -> str:
    return "    –" if value is None else f"{value:>5.3f}"


def settings_line(summary: Mapping[str, Any]) -> str:
    """The thresholds."""
    chosen = ", ".join(f"{name} {value:.2f}" for name, value in summary["thresholds"].items())
    return f"thresholds {chosen}"
