"""Where loss, weights or answers leave the numbers there is one line, and no probability."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from conftest import TINY, TINY_BOXES, Result, only_run

from osprey.models.checkpoint import read_checkpoint

Call = Callable[..., Result]
TRAIN_AGAIN = "train again with a lower optimizer.lr"

NETS = '''
import torch
from my_pkg.nets import ReefNet


class LostInValidation(ReefNet):
    """Trains as it should and answers no numbers in evaluation."""

    def forward(self, images):
        logits = super().forward(images)
        return logits if self.training else logits * torch.nan
'''


def spoil(run: Path, size: float) -> None:
    """Give the weights of the head in best.ckpt another size."""
    path = run / "checkpoints" / "best.ckpt"
    content = read_checkpoint(path)
    head = content["state_dict"]["model.head.weight"]
    content["state_dict"]["model.head.weight"] = head.sign() * size
    torch.save(content, path)


@pytest.fixture
def classifier(trained: Path, here: Path) -> Path:
    shutil.copytree(trained / "runs", here / "runs")
    return only_run(here)


def test_a_rate_far_too_high(here: Path, photos: Path, osprey: Call) -> None:
    words = ["train", "data=folder", f"data.root={photos}", *TINY, "trainer.gradient_clip=null"]
    result = osprey(*words, "optimizer.lr=1e9", "optimizer=sgd", "optimizer.weight_decay=0")
    assert result.code == 2
    assert result.err.startswith("osprey train: ") and result.err.count("\n") == 1
    assert "in epoch 1: lower optimizer.lr (it is 1e+09), or use trainer.precision" in result.err
    assert not list(here.glob("runs/*/*/summary.json"))


def test_nan_in_validation_alone(my_pkg: Path, photos: Path, osprey: Call) -> None:
    (my_pkg / "my_pkg" / "lost.py").write_text(NETS)
    tiny = [word for word in TINY if not word.startswith(("model.", "optimizer"))]
    words = ["train", "data=folder", f"data.root={photos}", *tiny]
    result = osprey(*words, "model._target_=my_pkg.lost.LostInValidation", "+model.width=4")
    assert (result.code, result.err) == (
        2,
        "osprey train: answers about validation photos became nan or inf in epoch 1: lower "
        "optimizer.lr (it is 0.003), or use trainer.precision=32-true\n",
    )


def test_a_detector(here: Path, osprey: Call) -> None:
    words = ["train", "task=detection", "data=harbour_boxes", "model=fcos", *TINY_BOXES]
    more = ["model.options={width: 32, levels: 3, convs: 1}", "trainer.gradient_clip=null"]
    result = osprey(*words, *more, "optimizer=sgd", "optimizer.lr=1e30")
    assert result.code == 2, result.out
    assert " in epoch 1: lower optimizer.lr (it is 1e+30)" in result.err


def test_a_module_of_ones_own(here: Path, osprey: Call) -> None:
    project = Path(__file__).parents[1] / "extend" / "template_project"
    shutil.copytree(project, here, dirs_exist_ok=True)
    words = ["train", "--config-dir", "mine", "experiment=mnist", "monitor=val/loss", "mode=min"]
    result = osprey(*words, "task.optimizer.lr=1e30")
    assert (result.code, result.err) == (
        2,
        "osprey train: monitor=val/loss became nan in epoch 1: lower optimizer.lr, or look at what "
        "the module logs\n",
    )


def test_weights_that_are_no_numbers(classifier: Path, photos: Path, osprey: Call) -> None:
    spoil(classifier, float("nan"))
    photo = next(photos.rglob("*.png"))
    line = (
        f"checkpoint '{classifier.relative_to(Path.cwd())}/checkpoints/best.ckpt': "
        f"'model.head.weight' holds values that are not numbers (nan or inf): {TRAIN_AGAIN}\n"
    )
    result = osprey("predict", "--image", photo)
    assert (result.code, result.out, result.err) == (2, "", f"osprey predict: {line}")
    result = osprey("eval", "run=latest")
    assert (result.code, result.err) == (2, f"osprey eval: {line}")


def test_answers_that_are_no_numbers(classifier: Path, photos: Path, osprey: Call) -> None:
    """Weights so large that what they are multiplied with overflows."""
    spoil(classifier, 3e38)
    photo = next(photos.rglob("*.png"))
    result = osprey("predict", "--image", photo)
    assert result.code == 2 and result.out == ""
    assert result.err.endswith(
        f"osprey predict: the network's answer is not a number: {TRAIN_AGAIN}\n"
    )
    assert osprey("predict", "--folder", photos, "--output", "o.csv").code == 0
    with Path("o.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert all(row["label"] == row["score"] == "" and row["failure"] for row in rows)
    result = osprey("predict", "--folder", photos, "--output", "o.json", "--strict")
    assert result.code == 1
    assert all(
        set(record) == {"file", "failure"} for record in json.loads(Path("o.json").read_text())
    )
    result = osprey("eval", "run=latest")
    assert (result.code, result.err) == (
        2,
        "osprey eval: the network's answers about 5 of 5 photos are not numbers (nan or inf): "
        f"{TRAIN_AGAIN}\n",
    )
