"""``osprey labels`` of a detector: planted errors of boxes are found, decisions are applied."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from conftest import Result
from fake_box_run import HEIGHT, WIDTH, make_box_run
from helpers import train_config, write_photo

from osprey.runs.folder import RunFolder

Osprey = Callable[..., Result]
Rows = list[dict[str, Any]]


def read(file: Path) -> pd.DataFrame:
    return pd.read_csv(file, keep_default_na=False)


def plant(run: Path) -> dict[str, str]:
    """Spoil one box on each of twelve photos where the run is right; what, by photo."""
    manifest, found = read(run / "manifest.csv"), read(run / "predictions.csv")
    planted: dict[str, str] = {}
    for row in np.flatnonzero(manifest["split"] == "test"):
        path = manifest.loc[row, "path"]
        mine = found[(found["path"] == path) & (found["score"] > 0.8)]
        boxes = json.loads(manifest.loc[row, "boxes"])
        sides = mine[["x", "y", "w", "h"]].to_numpy()
        seen = [
            place
            for place, (label, *box) in enumerate(boxes)
            if any(np.abs(other - box).max() < 8 for other in sides[(mine["label"] == label)])
        ]
        if not seen or len(planted) == 12:
            continue
        kind = ("missing", "wrong class", "badly placed")[len(planted) % 3]
        label, x, y, w, h = boxes[seen[0]]
        boxes[seen[0]] = [label, x + 0.35 * w, y + 0.3 * h, w, h]
        if kind == "wrong class":
            boxes[seen[0]] = ["c", x, y, w, h]
        if kind == "missing":
            del boxes[seen[0]]
        planted[path] = kind
        manifest.loc[row, "boxes"] = json.dumps(boxes)
    manifest.to_csv(run / "manifest.csv", index=False)
    assert len(planted) == 12
    return planted


def settle(run: Path, photos: Path, *more: str) -> None:
    """Give the run the settings of a real one."""
    words = ("task=detection", "data=voc", "model=ssdlite", f"data.root={photos}")
    RunFolder(run).save_config(train_config(*words, *more))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """A run of 160 photos with twelve planted errors; half of the photos are there."""
    here = tmp_path_factory.mktemp("box_labels")
    run = make_box_run(here / "runs" / "boxes" / "1", ["a", "b", "c"], 80, false_alarms=0.3)
    planted = plant(run)
    for path in planted:
        write_photo(here / "photos" / path, size=(HEIGHT, WIDTH))
    settle(run, here / "photos")
    return run, planted


@pytest.fixture
def run(made: tuple[Path, dict[str, str]], here: Path) -> Path:
    """A copy of it in an empty working folder."""
    shutil.copytree(made[0], here / "runs" / "boxes" / "1")
    return Path("runs") / "boxes" / "1"


def test_planted_errors_of_boxes_come_first(
    run: Path, made: tuple[Path, dict[str, str]], osprey: Osprey
) -> None:
    done = osprey("labels", run)
    assert (done.code, done.err) == (0, "")
    table = read(run / "labels" / "suspects.csv")
    planted = made[1]
    right = table["path"].map(planted) == table["what"]
    assert set(table["path"][right]) == set(planted)
    assert right[:6].all(), table  # later ones are among the run's own mistakes
    assert table["likely"].between(0.5, 1).all()
    assert f"labels  {len(table)} boxes on 160 photos to look at, by the boxes that" in done.out
    page = (run / "labels" / "suspects.html").read_text()
    assert page.count("data:image/jpeg") >= 10 and "as the run has it" in page


def row_of(table: pd.DataFrame, planted: dict[str, str], what: str, nth: int = 0) -> int:
    """The row of the nth planted error of a kind."""
    mine = table[(table["what"] == what) & (table["path"].map(planted) == what)]
    return int(mine.index[nth])


def test_decisions_about_boxes(
    run: Path, made: tuple[Path, dict[str, str]], osprey: Osprey
) -> None:
    assert osprey("labels", run).code == 0
    file = run / "labels" / "suspects.csv"
    table, planted = read(file), made[1]
    rows = {
        "fix": [row_of(table, planted, what) for what in planted.values()][:3],
        "drop": [row_of(table, planted, "wrong class", 1)],
        "Keep": [row_of(table, planted, "badly placed", 1)],
        "crab": [row_of(table, planted, "missing", 1)],
    }
    for word, places in rows.items():
        table.loc[places, "decision"] = word
    table.to_csv(file, index=False)
    done = osprey("labels", run, "--decisions", file, "--output", "manifest.csv")
    assert done.code == 0, done.err
    said = f"labels  4 changed, 1 dropped, 1 kept, {len(table) - 6} still open"
    assert said in done.out and "note    new classes: crab" in done.out
    before, after = (read(path).set_index("path") for path in (run / "manifest.csv",
                                                              Path("manifest.csv")))  # fmt: skip
    for place in rows["fix"]:
        row = table.loc[place]
        boxes, old = (json.loads(each.loc[row["path"], "boxes"]) for each in (after, before))
        moved = [row["suggested"], *(float(row[f"to_{side}"]) for side in "xywh")]
        if row["what"] == "wrong class":
            moved[1:] = [float(row[side]) for side in "xywh"]
        near = [box for box in boxes if box[0] == moved[0] and np.allclose(box[1:], moved[1:])]
        assert near and len(boxes) == len(old) + (row["what"] == "missing")
    dropped = table.loc[rows["drop"][0]]
    assert len(json.loads(after.loc[dropped["path"], "boxes"])) == (
        len(json.loads(before.loc[dropped["path"], "boxes"])) - 1
    )
    kept = table.loc[rows["Keep"][0], "path"]
    assert after.loc[kept, "boxes"] == before.loc[kept, "boxes"]
    assert json.loads(after.loc[kept, "decision"])[0][0] == "keep"

    # Of a run on that table, what is decided is not asked again.
    shutil.copy("manifest.csv", run / "manifest.csv")
    summary = json.loads((run / "summary.json").read_text())
    (run / "summary.json").write_text(json.dumps({**summary, "classes": [*"abc", "crab"]}))
    shutil.rmtree(run / "labels")
    again = osprey("labels", run)
    assert again.code == 0, again.err
    left = read(run / "labels" / "suspects.csv")
    keys = ["path", "what", "to_x", "to_y"]
    decided = table.loc[[place for places in rows.values() for place in places], keys]
    assert decided.merge(left, on=keys).empty


@pytest.mark.parametrize(
    ("column", "value", "line"),
    [
        ("path", "x.jpg", "is of another run: 'x.jpg' is not a photo of"),
        ("label", "b2", "is of another run: "),
        ("to_w", "wide", "has no box at to_x, to_y, to_w, to_h: "),
        ("what", "odd", "what 'odd' is none of missing, wrong class, badly placed"),
    ],
)
def test_tables_of_boxes_that_do_not_fit(
    run: Path, made: tuple[Path, dict[str, str]], osprey: Osprey, column: str, value: str, line: str
) -> None:
    from osprey.commands.labels import _TABLE

    assert osprey("labels", run).code == 0
    file = run / "labels" / _TABLE
    table = read(file).astype(str)
    place = row_of(table, made[1], "badly placed")
    table.loc[place, [column, "decision"]] = value, "fix"
    table.to_csv("mine.csv", index=False)
    done = osprey("labels", run, "--decisions", "mine.csv", "--output", "out.csv")
    assert done.code == 2 and line in done.err and done.err.count("\n") == 1, done.err
    assert not Path("out.csv").exists()


def test_other_folds_are_asked_about_their_own_photos(run: Path, osprey: Osprey) -> None:
    settle(run, Path("photos"), "data.folds=3")
    other = run.with_name("2")
    shutil.copytree(run, other)
    settle(other, Path("photos"), "data.folds=3", "data.fold=1")
    manifest = read(run / "manifest.csv")
    train = manifest["split"] == "val"
    manifest.loc[train, "split"] = "train"  # the first run has not tested on these
    manifest.to_csv(run / "manifest.csv", index=False)
    summary = json.loads((run / "summary.json").read_text())
    (run / "summary.json").write_text(
        json.dumps({key: value for key, value in summary.items() if key != "val"})
    )
    done = osprey("labels", run)
    assert done.code == 0, done.err
    assert "boxes on 160 photos to look at, by the boxes that 2 runs of folds found" in done.out
    shutil.rmtree(other)
    done = osprey("labels", run)
    assert "boxes on 80 photos to look at, by the boxes that the run found" in done.out
    assert "note    80 of 160 photos were trained on, where a network repeats" in done.out
