"""The task of our own: trains, resumes, tests in two processes, predicts, reports."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from conftest import TINY
from test_commands import only_run

Call = Callable[..., str]
LIGHT = ["experiment=light", "optimizer.lr=3e-2", "seed=1"]


def summary(run: Path) -> dict[str, dict[str, float]]:
    return dict(json.loads((run / "summary.json").read_text()))


def test_it_learns_and_answers(osprey: Call, survey: Path, tmp_path: Path) -> None:
    tiny = [word for word in TINY if not word.startswith("trainer.max_epochs")]
    out = osprey("train", *LIGHT, f"data.root={survey}", *tiny, "trainer.max_epochs=25")
    assert "val     mean error 0." in out and "of the mean 0." in out
    run = only_run(tmp_path)
    val = summary(run)["val"]
    assert val["mae"] < 0.8 * val["mae_of_the_mean"], "better than an answer that looks at nothing"
    assert "Largest errors" in (run / "report.html").read_text()

    out = osprey("predict", "--folder", str(survey), "--output", "light.csv")
    table = pd.read_csv(tmp_path / "light.csv")
    assert len(table) == 54 and table["light"].std() > 0.05, "it depends on the photo"
    photo = table["file"].iloc[0]
    alone = json.loads(osprey("predict", "--image", photo))["light"]
    assert alone == pytest.approx(table["light"].iloc[0], abs=1e-3)


def test_it_goes_on_and_is_tested_again(osprey: Call, survey: Path, tmp_path: Path) -> None:
    osprey("train", *LIGHT, f"data.root={survey}", *TINY, "trainer.max_epochs=1")
    run = only_run(tmp_path)
    osprey("train", f"resume={run}", "trainer.max_epochs=2")
    assert summary(run)["epochs"]["trained"] == 2
    out = osprey("eval", f"run={run}")
    assert f"mean error {summary(run)['test']['mae']:.3f}" in out
    osprey("report", str(run))


def test_two_processes(osprey: Call, survey: Path, tmp_path: Path) -> None:
    osprey("train", *LIGHT, f"data.root={survey}", *TINY, "trainer=ddp_sim")
    tested = summary(only_run(tmp_path))["test"]
    assert tested["n"] > 0 and tested["mae"] > 0


def test_a_sweep(osprey: Call, survey: Path) -> None:
    words = ["-m", *LIGHT, f"data.root={survey}", *TINY, "trainer.max_epochs=1"]
    out = osprey("train", *words, "optimizer.weight_decay=0.0,0.1")
    assert "sweep, best first by validation mean error:" in out
