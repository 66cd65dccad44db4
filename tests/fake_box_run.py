"""A detector's finished run folder made up from random numbers, its figures the real ones."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from osprey.imaging.boxes import Detections
from osprey.tasks.detection.metrics import compute_metrics
from osprey.tasks.detection.outputs import BoxOutputs, write_boxes

WIDTH, HEIGHT = 400, 300
CURVE = [
    ["epoch", "lr", "train/loss", "val/map", "val/ap50"],
    *([e, 0.1 / e, 2 / e, 0.1 * e, 0.2 * e] for e in (1, 2, 3)),
]
Table = tuple[np.ndarray, np.ndarray]


def make_box_run(
    folder: Path,
    classes: Sequence[str],
    n: int,
    *,
    test: bool = True,
    false_alarms: float = 1.0,
    **columns: Sequence[str],
) -> Path:
    """Write what training leaves behind: ``n`` photos a split, three subjects of four found.

    Args:
        folder: The run folder to make.
        classes: Their names; of several there is no box of the last.
        n: Photos of validation, and of test; the first of each is empty.
        test: Whether there is a test split.
        false_alarms: Boxes a photo that are none.
        columns: Further columns of the manifest; their values are dealt in turn.
    """
    folder.mkdir(parents=True)
    draw = np.random.default_rng(0)
    limits = [0.5] * len(classes)
    summary: dict[str, Any] = {
        "name": "made-up",
        "run": folder.name,
        "task": "detection",
        "classes": list(classes),
        "epochs": {"trained": 3, "best": 2},
        "minutes": 1.25,
        "peak_memory_mb": 512,
        "thresholds": dict(zip(classes, limits, strict=True)),
    }
    head = ["path", "split", "label", "group", "weight", *columns, "width", "height", "boxes"]
    rows: list[list[Any]] = [head]
    for split in ("val", "test") if test else ("val",):
        outputs = _outputs(draw, split, n, max(1, len(classes) - 1), false_alarms)
        summary[split] = compute_metrics(outputs, limits, classes)
        name = "predictions.csv" if split == "test" else "predictions_val.csv"
        write_boxes(folder / name, outputs, classes)
        for i, (path, truth) in enumerate(zip(outputs.paths, outputs.truth, strict=True)):
            dealt = [values[i % len(values)] for values in columns.values()]
            label = classes[int(truth.labels[0])] if len(truth) else "nothing"
            size = [WIDTH, HEIGHT, _text(truth, classes)]
            rows.append([path, split, label, "", "1.0", *dealt, *size])
    for name, table in (("manifest.csv", rows), ("metrics.csv", CURVE)):
        with (folder / name).open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows(table)
    (folder / "summary.json").write_text(json.dumps(summary), encoding="utf-8")
    config = {
        "model": {"name": "fcos", "backbone": "resnet18", "pretrained": False},
        "paths": {"runs": "runs"},
        "data": {"name": "made-up"},
    }
    (folder / "config.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    (folder / "overrides.txt").write_text("task=detection\ndata=voc\n", encoding="utf-8")
    return folder


def _outputs(
    draw: np.random.Generator, split: str, n: int, classes: int, false_alarms: float
) -> BoxOutputs:
    found, truth = [], []
    for photo in range(n):
        boxes, labels = _boxes(draw, draw.integers(1, 5) if photo else 0, classes)
        truth.append(Detections(boxes, np.ones(len(boxes), np.float32), labels))
        seen = draw.uniform(size=len(boxes)) < 0.75
        others, names = _boxes(draw, draw.poisson(false_alarms) if photo else 0, classes)
        near = boxes[seen] + draw.uniform(-3, 3, (int(seen.sum()), 4)).astype(np.float32)
        mistaken = draw.uniform(size=len(near)) < 0.1
        said = np.where(mistaken, draw.integers(0, classes, len(near)), labels[seen])
        scores = np.append(draw.uniform(0.4, 1, len(near)), draw.uniform(0.05, 0.8, len(others)))
        order = np.argsort(-scores)
        both, all_names = np.concatenate([near, others]), np.append(said, names).astype(np.int64)
        found.append(Detections(both[order], scores[order].astype(np.float32), all_names[order]))
    return BoxOutputs([f"{split}/{i:05d}.jpg" for i in range(n)], found, truth)


def _boxes(draw: np.random.Generator, count: int, classes: int) -> Table:
    low = draw.integers(0, [WIDTH - 120, HEIGHT - 120], (count, 2))
    sides = draw.integers(24, 110, (count, 2))
    boxes = np.concatenate([low, low + sides], axis=1).astype(np.float32)
    return boxes, draw.integers(0, classes, count)


def _text(truth: Detections, classes: Sequence[str]) -> str:
    rows = [
        [classes[int(label)], *box[:2], box[2] - box[0], box[3] - box[1]]
        for box, label in zip(truth.boxes.tolist(), truth.labels, strict=True)
    ]
    return json.dumps(rows)
