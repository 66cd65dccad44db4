"""What a finished run shows, and that showing it can never fail it."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from conftest import only_run
from helpers import manifest_of, train_config

from osprey.engine.present import present
from osprey.runs.comparable import comparable_key, other_split
from osprey.runs.folder import RunFolder
from osprey.tasks.classification.mistakes import pick
from osprey.tasks.classification.pictures import draw_pictures
from osprey.tasks.registry import get_task
from osprey.tasks.settings import DataSettings

TASK = get_task("classification")
KEYS = [*(metric.key for metric in TASK.metrics), *TASK.compared]


def test_pictures_are_drawn_the_same_twice(trained: Path, tmp_path: Path) -> None:
    run = RunFolder(Path(shutil.copytree(only_run(trained), tmp_path / "run")))
    config = run.load_config()
    plots = run.path / "plots"
    before = {p.relative_to(plots): p.read_bytes() for p in plots.rglob("*") if p.is_file()}
    shutil.rmtree(plots)
    settings, manifest = DataSettings.from_config(config), run.load_manifest(config.data.root)
    draw_pictures(run, settings, manifest, config.trainer.rewrites)
    after = {p.relative_to(plots): p.read_bytes() for p in plots.rglob("*") if p.is_file()}
    assert after == before
    layout = json.loads((plots / "batch.json").read_text())
    mosaic = cv2.imread(str(plots / "batch.jpg"))[..., ::-1]
    assert mosaic.shape == (4 * (128 + 18), 6 * 128, 3)
    means = [mosaic[40:90, x + 40 : x + 90].mean((0, 1)) for x in range(0, 768, 128)]
    strongest = [["red", "green", "blue"][int(np.argmax(m))] for m in means]
    assert strongest == layout["labels"][:6], "labels stand below their photos"


def test_a_report_that_cannot_be_drawn_is_one_line(
    trained: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    run = RunFolder(Path(shutil.copytree(only_run(trained), tmp_path / "run")))
    shutil.rmtree(run.path / "plots")
    (run.path / "report.html").unlink()
    (run.path / "metrics.csv").write_bytes(b"\xff\xfe")
    config = run.load_config()
    config.data.root = str(tmp_path / "gone")
    present(run, config, {})
    lines = capfd.readouterr().err.splitlines()
    assert len(lines) == 2
    assert lines[0].startswith("pictures left out: ") and lines[0].endswith("no such file")
    assert lines[1].startswith(f"report  left out: run '{run.path}' has a file that cannot be read")


def test_worst_first_then_doubtful(tmp_path: Path) -> None:
    table = tmp_path / "predictions.csv"
    rows = [
        *("0,a,a,0.9,0.9,0.06,0.04", "1,b,a,0.6,0.6,0.3,0.1", "2,b,a,0.8,0.8,0.1,0.1"),
        *("3,a,a,0.4,0.4,0.35,0.25", "4,c,c,0.5,0.3,0.2,0.5"),
    ]
    table.write_text("path,label,predicted,score,p:a,p:b,p:c\n" + "\n".join(rows) + "\n")
    picks = pick(table, ["a", "b", "c"])
    assert [(p.kind, p.path) for p in picks] == [
        *(("worst", "2"), ("worst", "1")),
        *(("doubtful", "3"), ("doubtful", "4"), ("doubtful", "0")),
    ]
    assert (picks[2].second, picks[2].margin) == ("b", 0.05)


MINE = {"data": "photos", "model": "simple_cnn", "grouped": False}


def sibling(runs: Path, stamp: str, **changes: Any) -> RunFolder:
    test = {"n": 9, "top1": 0.9, "macro_f1": 0.8, "log_loss": 0.3, "ece": 0.1, "confusion": [[1]]}
    content = {
        "task": "classification",
        "classes": ["a", "b"],
        "kin": MINE,
        "test": test,
        **changes,
    }
    run = RunFolder(runs / "name" / stamp)
    run.path.mkdir(parents=True)
    run.write_json("summary.json", content)
    return run


def test_the_twin_on_the_other_split_is_found(tmp_path: Path) -> None:
    grouped = {"data": "photos", "model": "simple_cnn", "grouped": True}
    run = sibling(tmp_path, "this", kin=grouped)
    summary = run.read_json("summary.json")
    assert other_split(run, tmp_path, summary, KEYS) is None
    sibling(tmp_path, "same", kin=grouped)
    sibling(tmp_path, "other-model", kin={**grouped, "grouped": False, "model": "resnet18"})
    sibling(tmp_path, "other-classes", classes=["a", "c"])
    (tmp_path / "name" / "damaged").mkdir()
    (tmp_path / "name" / "damaged" / "summary.json").write_text("{")
    assert other_split(run, tmp_path, summary, KEYS) is None
    sibling(tmp_path, "twin")
    found = other_split(run, tmp_path, summary, KEYS)
    assert found is not None and (found["by"], found["run"]) == ("random", "name/twin")
    assert found["test"] == {"n": 9, "top1": 0.9, "macro_f1": 0.8, "log_loss": 0.3, "ece": 0.1}


@pytest.mark.parametrize(
    "odd",
    [
        *("[]", "null", "{}", '"kin"', "[" * 100_000),
        {"test": None},
        {"test": {"n": 9}},
        {"test": dict.fromkeys(("n", "top1", "macro_f1", "log_loss", "ece"), "high")},
    ],
    ids=lambda odd: str(odd)[:20],
)
def test_odd_runs_beside_this_one_are_passed_over(odd: Any, tmp_path: Path) -> None:
    run = sibling(tmp_path, "this", kin={**MINE, "grouped": True})
    summary = run.read_json("summary.json")
    twin = sibling(tmp_path, "twin").path / "summary.json"
    os.utime(twin, ns=(1, 1))
    other = sibling(tmp_path, "odd", **(odd if isinstance(odd, dict) else {}))
    if isinstance(odd, str):
        other.write_text("summary.json", odd)
    (tmp_path / "name" / "gone").mkdir()
    (tmp_path / "name" / "gone" / "summary.json").symlink_to("nowhere")  # deleted since listed
    found = other_split(run, tmp_path, summary, KEYS)
    assert found is not None and found["run"] == "name/twin"


def test_grouped_means_no_group_straddles() -> None:
    config = train_config()
    apart = manifest_of("abab", groups=list("wwxx"), splits=["train", "train", "test", "test"])
    mixed = manifest_of("abab", groups=list("wxwx"), splits=["train", "train", "test", "test"])
    none = manifest_of("abab", splits=["train", "train", "test", "test"])
    data, model = config.data.root, config.model.name
    assert [comparable_key(data, model, m)["grouped"] for m in (apart, mixed, none)] == [
        True,
        False,
        False,
    ]
