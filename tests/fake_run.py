"""A finished run folder made up from random numbers: for reports of any size and any names."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import yaml


def make_run(
    folder: Path, classes: Sequence[str], n: int, *, test: bool = True, **columns: Sequence[str]
) -> Path:
    """Write what training leaves behind: ``n`` photos a split, answers right two times in three.

    Args:
        folder: The run folder to make.
        classes: Names of at least two classes.
        n: Photos of validation, and of test.
        test: Whether there is a test split.
        columns: Further columns of the manifest; their values are dealt in turn.
    """
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    summary: dict[str, Any] = {
        "name": "made-up",
        "run": folder.name,
        "classes": list(classes),
        "epochs": {"trained": 3, "best": 2},
        "minutes": 1.25,
        "peak_memory_mb": 512,
        "temperature": 1.5,
    }
    rows = [["path", "split", "label", "group", "weight", *columns]]
    for split in ("val", "test") if test else ("val",):
        labels = rng.integers(len(classes), size=n)
        logits = rng.normal(0, 1, (n, len(classes)))
        logits[np.arange(n), labels] += 2.5
        p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
        summary[split] = _figures(p, labels, classes)
        paths = [f"{split}/{i:05d}.jpg" for i in range(n)]
        _predictions(folder, split, paths, labels, p, classes)
        dealt = [[v[i % len(v)] for v in columns.values()] for i in range(n)]
        rows += [
            [path, split, classes[label], "", "1.0", *more]
            for path, label, more in zip(paths, labels, dealt, strict=True)
        ]
    _csv(folder / "manifest.csv", rows)
    curve = [["epoch", "lr", "train/loss", "val/log_loss", "val/macro_f1", "val/top1"]]
    curve += [[e, 0.1 / e, 2 / e, 1.9 / e, 0.2 * e, 0.25 * e] for e in (1, 2, 3)]
    _csv(folder / "metrics.csv", curve)
    (folder / "summary.json").write_text(json.dumps(summary), encoding="utf-8")
    config = {
        "model": {"name": "simple_cnn", "pretrained": False, "freeze": "none", "freeze_stages": 0},
        "paths": {"runs": "runs"},
        "data": {"name": "made-up"},
    }
    (folder / "config.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    (folder / "overrides.txt").write_text("data=folder\ndata.root=my photos\n", encoding="utf-8")
    return folder


def _figures(p: Any, labels: Any, classes: Sequence[str]) -> dict[str, Any]:
    """Figures of one split under summary.json's names; those no test looks at are made up."""
    size = len(classes)
    matrix = np.zeros((size, size), int)
    np.add.at(matrix, (labels, p.argmax(1)), 1)
    support, answered, hits = matrix.sum(1), matrix.sum(0), np.diag(matrix)
    f1 = 2 * hits / np.maximum(1, support + answered)
    per_class = [
        {
            "label": name,
            "n": int(support[i]),
            "precision": float(hits[i] / max(1, answered[i])),
            "recall": float(hits[i] / max(1, support[i])),
            "f1": float(f1[i]),
        }
        for i, name in enumerate(classes)
    ]
    return {
        "n": len(labels),
        "top1": float(hits.sum() / len(labels)),
        "macro_f1": float(f1.mean()),
        "log_loss": 0.8,
        "ece": 0.05,
        "uncalibrated": {"log_loss": 0.9, "ece": 0.11},
        "per_class": per_class,
        "confusion": matrix.tolist(),
    }


def _predictions(
    folder: Path, split: str, paths: list[str], labels: Any, p: Any, classes: Sequence[str]
) -> None:
    best = p.argmax(1)
    rows: list[list[Any]] = [["path", "label", "predicted", "score", *(f"p:{c}" for c in classes)]]
    for i, path in enumerate(paths):
        figures = [f"{v:.8g}" for v in [p[i, best[i]], *p[i]]]
        rows.append([path, classes[labels[i]], classes[best[i]], *figures])
    _csv(folder / ("predictions.csv" if split == "test" else "predictions_val.csv"), rows)


def _csv(path: Path, rows: list[list[Any]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(rows)
