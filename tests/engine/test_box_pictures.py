"""A detector trained for an epoch: its pictures, its report, what W&B is handed."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest
from conftest import TINY, make_squares, only_run
from hypothesis import given
from hypothesis import strategies as st

from osprey.engine.loggers import wandb_media
from osprey.imaging.cropping import window
from osprey.imaging.drawing import outlined
from osprey.runs.folder import RunFolder
from osprey.tasks.detection.pictures import draw_pictures
from osprey.tasks.reporting import build_report
from osprey.tasks.settings import DataSettings


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    from osprey.commands import main

    folder = tmp_path_factory.mktemp("detected")
    photos = make_squares(tmp_path_factory.mktemp("squares"))
    words = ["task=detection", "data=coco", f"data.root={photos}", "data.file=boxes.json"]
    words += ["model=fcos", "model.backbone=mobilenetv3_small_050", "model.pretrained=false"]
    words += ["model.freeze_batchnorm=false"]
    tiny = [word for word in TINY if not word.startswith(("model.", "data.size", "trainer.max"))]
    tiny += ["data.size=128", "trainer.max_epochs=1", "model.options={width: 64, convs: 1}"]
    before = Path.cwd()
    os.chdir(folder)
    try:
        assert main(["train", *words, *tiny, f"paths.cache={folder / 'cache'}"]) == 0
    finally:
        os.chdir(before)
    return RunFolder(only_run(folder))


@pytest.mark.slow
def test_pictures_are_drawn_the_same_twice(run: RunFolder, tmp_path: Path) -> None:
    copy = RunFolder(Path(shutil.copytree(run.path, tmp_path / "run")))
    plots = copy.path / "plots"
    before = {p.relative_to(plots): p.read_bytes() for p in plots.rglob("*") if p.is_file()}
    shutil.rmtree(plots)
    config = copy.load_config()
    draw_pictures(copy, DataSettings.from_config(config), copy.load_manifest(config.data.root))
    after = {p.relative_to(plots): p.read_bytes() for p in plots.rglob("*") if p.is_file()}
    assert after == before
    layout = json.loads((plots / "batch.json").read_text())
    assert set(layout["labels"]) <= {"nothing", "1 square", "2 square", "3 square"}
    gallery = json.loads((plots / "gallery.json").read_text())["photos"]
    assert {photo["kind"] for photo in gallery} <= {"miss", "false_alarm"} and gallery
    for photo in gallery:
        height, width = cv2.imread(str(copy.path / photo["picture"])).shape[:2]
        assert width <= 320 and height <= 240 and (width == 320 or height == 240)


def test_the_report_shows_them_and_stands_alone(run: RunFolder, tmp_path: Path) -> None:
    text = (run.path / "report.html").read_text(encoding="utf-8")
    gallery = run.read_json("plots/gallery.json")["photos"]
    assert text.count("<img ") == len(gallery)
    assert text.count("data:image/jpeg;base64,") == len(gallery) + 1
    copy = Path(shutil.copytree(run.path, tmp_path / "run"))
    assert build_report(copy).read_bytes() == (run.path / "report.html").read_bytes()


def test_a_photo_that_has_gone_is_left_out(run: RunFolder, tmp_path: Path) -> None:
    copy = RunFolder(Path(shutil.copytree(run.path, tmp_path / "run")))
    config = copy.load_config()
    root = Path(shutil.copytree(config.data.root, tmp_path / "photos"))
    gallery = copy.read_json("plots/gallery.json")["photos"]
    gone = gallery[0]["path"]
    (root / gone).unlink()
    draw_pictures(copy, DataSettings.from_config(config), copy.load_manifest(str(root)))
    left = copy.read_json("plots/gallery.json")["photos"]
    assert len(left) == len([photo for photo in gallery if photo["path"] != gone])


def test_wandb_is_handed_figures_pictures_boxes_and_checkpoint(
    run: RunFolder, monkeypatch: Any
) -> None:
    fake: Any = SimpleNamespace(
        Html=lambda text, inject: text,
        Image=lambda path, caption=None: (path, caption),
        Table=lambda head, rows: (head, rows),
        Artifact=lambda name, kind, metadata: SimpleNamespace(
            name=name, metadata=metadata, add_file=lambda path: None
        ),
    )
    monkeypatch.setitem(__import__("sys").modules, "wandb", fake)
    logged: dict[str, Any] = {}
    artifacts: list[Any] = []
    experiment = SimpleNamespace(
        id="stamp",
        summary={},
        log=logged.update,
        log_artifact=lambda artifact, aliases: artifacts.append(artifact),
    )
    summary = run.read_json("summary.json")
    wandb_media.log_media(experiment, run, summary)
    assert experiment.summary["test/map"] == summary["test"]["map"]
    assert experiment.summary["threshold/square"] == summary["thresholds"]["square"]
    head, rows = logged["test/predictions"]
    assert head == ["path", "label", "score", "x", "y", "w", "h"]
    assert all(isinstance(row[2], float) and len(row) == 7 for row in rows)
    assert "Confusion matrix of 1 class," in logged["confusion"]
    gallery = run.read_json("plots/gallery.json")["photos"]
    shown = [logged.get(f"gallery/worst_{kind}", []) for kind in ("misses", "false_alarms")]
    assert sum(map(len, shown)) == len(gallery)
    assert "batch" in logged and [a.name for a in artifacts] == ["model-stamp"]


sides = st.integers(1, 6000)


@given(sides, sides, st.lists(st.floats(0, 1), min_size=4, max_size=4))
def test_the_part_shown_lies_inside_the_photo_and_holds_the_box(
    width: int, height: int, places: list[float]
) -> None:
    x, x2 = sorted((places[0] * width, places[1] * width))
    y, y2 = sorted((places[2] * height, places[3] * height))
    left, top, wide, high = window(np.array([x, y, x2, y2], np.float32), width, height, 4 / 3)
    near = 1e-3 * max(width, height)
    assert 0 <= left <= x + near and x2 <= left + wide + near and left + wide <= width + near
    assert 0 <= top <= y + near and y2 <= top + high + near and top + high <= height + near
    assert wide > 0 and high > 0


def test_boxes_are_drawn_where_they_are() -> None:
    photo = np.full((40, 60, 3), 200, np.uint8)
    drawn = outlined(photo, np.array([[10, 5, 30, 25]], np.float32), (255, 0, 0))
    red = (drawn == (255, 0, 0)).all(axis=2)
    rows, columns = np.nonzero(red)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (5, 24, 10, 29)
    assert (photo == 200).all() and (drawn[10:20, 15:25] == 200).all()
    outside = outlined(photo, np.array([[-90, -90, 900, 900]], np.float32), (255, 0, 0))
    assert (outside == photo).all()
