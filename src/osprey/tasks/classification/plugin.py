"""Runs that name the one class of each photo."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from torch import nn

from osprey.config.schema import TrainConfig
from osprey.data.manifest import Manifest
from osprey.ensembling.averaging_candidate import average_weights
from osprey.ensembling.ensemble import Combined
from osprey.models.checkpoint import CheckpointMetadata
from osprey.runs.folder import RunFolder
from osprey.system.console import say, some_of
from osprey.tasks.classification.evaluate import calibrate
from osprey.tasks.classification.evaluate import test as test
from osprey.tasks.classification.module import Classification
from osprey.tasks.classification.pictures import draw_pictures as draw_pictures


def make_task(
    model: nn.Module, metadata: CheckpointMetadata, config: TrainConfig, manifest: Manifest
) -> Classification:
    """The task, told how many training photos each class has."""
    trained = manifest.counts()["train"]
    counts = np.array([trained.get(name, 0) for name in metadata.classes])
    return Classification(model, metadata, config, counts)


def conclude(
    run: RunFolder, config: TrainConfig, manifest: Manifest, combined: Combined | None
) -> dict[str, Any]:
    """Average the weights if asked to, and fit the temperature."""
    averaging = average_weights(run, config, manifest)
    val = calibrate(run, config, manifest, combined.val if combined else None)
    before = {key: val["before"][key] for key in ("log_loss", "ece")}
    metadata = {"temperature": val["temperature"], "val": {**val["after"], "uncalibrated": before}}
    if combined is not None:
        metadata["ensemble"] = combined.metadata
    return metadata if averaging is None else {**metadata, "averaging": averaging}


def metrics_line(figures: Mapping[str, Any]) -> str:
    """The headline figures of one split."""
    top5 = f", top-5 {figures['top5']:.3f}" if "top5" in figures else ""
    return (
        f"top-1 {figures['top1']:.3f}{top5}, macro-F1 {figures['macro_f1']:.3f}, "
        f"log loss {figures['log_loss']:.3f}, ECE {figures['ece']:.3f} (n={figures['n']})"
    )


def per_class_table(rows: Sequence[Mapping[str, Any]]) -> None:
    """Precision, recall and F1 of each class with its n; of many classes the extremes."""
    width = max(5, *(len(row["label"]) for row in rows))
    say(f"{'class':<{width}}      n  precision  recall     F1")
    for row in some_of(rows, "f1"):
        say(
            row
            if isinstance(row, str)
            else f"{row['label']:<{width}} {row['n']:>6}  {row['precision']:>9.3f}  "
            f"{row['recall']:>6.3f}  {row['f1']:>5.3f}"
        )


def settings_line(summary: Mapping[str, Any]) -> str:
    """The fitted temperature."""
    return f"temperature {summary['temperature']:.2f}"
