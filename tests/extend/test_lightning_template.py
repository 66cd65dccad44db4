"""A project in the style of lightning-hydra-template, through YAML alone.

Its LightningModule keeps its network and its factories as hyper-parameters, its DataModule draws an
MNIST-like set; neither knows of Osprey. Fit, test, resume, multirun, three loggers, callbacks.
"""

from __future__ import annotations

import csv
import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from conftest import only_run, run_process

PROJECT = Path(__file__).with_name("template_project")
TRAIN = ["train", "--config-dir", "mine", "experiment=mnist"]


@pytest.fixture
def project(here: Path) -> Iterator[Path]:
    """The user's folder."""
    shutil.copytree(PROJECT, here, dirs_exist_ok=True)
    yield here
    for name in [name for name in sys.modules if name.partition(".")[0] == "template_pkg"]:
        del sys.modules[name]


def rows(run: Path) -> list[dict[str, str]]:
    with (run / "metrics.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def summary(run: Path) -> dict[str, Any]:
    return dict(json.loads((run / "summary.json").read_text()))


def test_fit_test_and_what_a_run_has(project: Path, osprey) -> None:  # type: ignore[no-untyped-def]
    result = osprey(*TRAIN)
    assert result.code == 0, result.err
    run = only_run(project)
    assert run.parent.name == "mnist"
    assert [row["epoch"] for row in rows(run)] == ["1", "2", "3"]
    accuracy = [float(row["val/acc"]) for row in rows(run)]
    found = summary(run)
    assert found["epochs"] == {"trained": 3, "best": accuracy.index(max(accuracy)) + 1}
    assert found["val"]["acc"] == pytest.approx(max(accuracy), abs=1e-6)
    assert found["test"]["acc"] > 0.5 and found["test"]["loss"] > 0
    content = yaml.safe_load((run / "config.yaml").read_text())
    assert content["tags"] == ["mnist", "simple"]
    assert content["task"]["net"]["width"] == 32
    for file in ("overrides.txt", "environment.json", "checkpoints/best.ckpt", "report.html"):
        assert (run / file).is_file(), file
    assert "has no predictor" in result.out + result.err, "one line says what is missing"


def test_its_checkpoints_hold_tensors_and_plain_data(project: Path, osprey) -> None:  # type: ignore[no-untyped-def]
    """Whatever the module keeps as hyper-parameters: nothing in the file can run code."""
    assert osprey(*TRAIN, "trainer.max_epochs=1").code == 0
    for name in ("best", "last"):
        path = only_run(project) / "checkpoints" / f"{name}.ckpt"
        content = torch.load(path, weights_only=True)
        assert "net.layers.0.weight" in content["state_dict"]


def test_predict_says_what_is_missing(project: Path, photos: Path, osprey) -> None:  # type: ignore[no-untyped-def]
    assert osprey(*TRAIN, "trainer.max_epochs=1").code == 0
    run = only_run(project)
    words = ["--run", run, "--image", photos / "red/red_00.png", "--plugin", "template_pkg"]
    result = osprey("predict", *words)
    assert (result.code, result.out) == (2, "")
    assert result.err == (
        f"osprey predict: run '{run}' was trained by template_pkg.mnist.LitMnist, which has no "
        "predictor: give its task a TaskPlugin (docs/extend.md)\n"
    )


def test_resume(project: Path, osprey) -> None:  # type: ignore[no-untyped-def]
    assert osprey(*TRAIN, "trainer.max_epochs=2").code == 0
    run = only_run(project)
    before = rows(run)
    words = ["plugins=[template_pkg]", "trainer.max_epochs=3"]
    result = osprey("train", f"resume={run}", *words)
    assert result.code == 0, result.err
    assert rows(run)[:2] == before and len(rows(run)) == 3
    assert summary(run)["epochs"]["trained"] == 3
    last = torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)
    assert last["global_step"] == 3 * 10, "it went on from the second epoch's weights"


def test_eval_tests_its_checkpoint(project: Path, osprey) -> None:  # type: ignore[no-untyped-def]
    assert osprey(*TRAIN, "trainer.max_epochs=1").code == 0
    run = only_run(project)
    result = osprey("eval", f"run={run}", "plugins=[template_pkg]")
    assert result.code == 0, result.err
    assert f"acc {summary(run)['test']['acc']:.3f}" in result.out


@pytest.mark.slow
def test_multirun(project: Path, osprey) -> None:  # type: ignore[no-untyped-def]
    result = osprey(*TRAIN, "-m", "task.net.width=8,32", "trainer.max_epochs=1")
    assert result.code == 0, result.err
    configs = [p for p in project.glob("runs/mnist/2*/config.yaml")]
    widths = {yaml.safe_load(p.read_text())["task"]["net"]["width"] for p in configs}
    assert widths == {8, 32}
    assert "sweep, best first by validation acc" in result.out


@pytest.mark.slow
def test_three_loggers_and_callbacks(project: Path) -> None:
    quiet = {"WANDB_API_KEY": "", "HOME": str(project), "NETRC": str(project / "none")}
    words = [*TRAIN, "logger=[csv,wandb,tensorboard]"]
    result = run_process(words, project, **quiet)
    assert result.code == 0, result.err
    run = only_run(project)
    assert list(run.rglob("events.out.tfevents.*"))
    (log,) = run.glob("wandb/offline-run-*/*.wandb")
    record = log.read_bytes()
    assert b"val/acc" in record and b"simple" in record, "figures and tags"
    last = torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)
    kept = " ".join(last["callbacks"])
    assert "EarlyStopping" in kept and "Timer" in kept


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["task.net.wdth=8"],
            "unknown setting 'task.net.wdth'; did you mean 'task.net.width'?",
        ),
        (
            ["+task.net.depth=8"],
            "task.net.depth: 'template_pkg.mnist.Dense' takes no such argument",
        ),
        (
            ["task.optimizer._target_=torch.optim.Adan"],
            "task.optimizer._target_: 'torch.optim.Adan' cannot be imported: module 'torch.optim' "
            "has no 'Adan'; did you mean 'Adam'?",
        ),
        (
            ["data._target_=template_pkg.mnist.Dense"],
            "data._target_: 'template_pkg.mnist.Dense' gives a Dense, not a "
            "pytorch_lightning.LightningDataModule",
        ),
    ],
)
def test_mistakes(words: list[str], message: str, project: Path, osprey) -> None:  # type: ignore[no-untyped-def]
    result = osprey(*TRAIN, *words)
    assert (result.code, result.out) == (2, "")
    assert result.err.startswith(f"osprey train: {message}") and result.err.count("\n") == 1
