"""A finished run folder of a LightningModule of the user's own, made up."""

from __future__ import annotations

import json
from pathlib import Path

import yaml


def make_light_run(folder: Path, logged: int = 4) -> Path:
    """Write what training leaves behind.

    Args:
        folder: The run folder to make.
        logged: How many metrics the module logs on each split.
    """
    folder.mkdir(parents=True)
    names = ["loss", *(f"a_metric_with_a_long_name_{i}" for i in range(1, logged))]
    columns = ["epoch", "lr", "train/loss", *(f"val/{name}" for name in names)]
    rows = [columns, *([e, 0.1 / e, 2 / e, *(0.3 * e for _ in names)] for e in (1, 2, 3))]
    text = "".join(",".join(map(str, row)) + "\n" for row in rows)
    (folder / "metrics.csv").write_text(text, encoding="utf-8")
    figures = {name: 12345.678 / (i + 1) for i, name in enumerate(names)}
    summary = {
        "name": "made-up",
        "run": folder.name,
        "task": "lightning",
        "classes": [],
        "epochs": {"trained": 3, "best": 2},
        "minutes": 0.5,
        "peak_memory_mb": 300,
        "val": figures,
        "test": figures,
    }
    (folder / "summary.json").write_text(json.dumps(summary), encoding="utf-8")
    config = {
        "task": {"_target_": "my_pkg.a_folder.with_a_long_name.MyLightningModule"},
        "model": {"name": "own", "pretrained": False},
        "paths": {"runs": "runs"},
        "data": {"name": "made-up"},
    }
    (folder / "config.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    (folder / "overrides.txt").write_text("plugins=[my_pkg]\nexperiment=mine\n", encoding="utf-8")
    return folder
