"""The rules of which epoch best.ckpt holds."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import TINY, TINY_BOXES, Result
from hypothesis import given, settings
from hypothesis import strategies as some

from osprey.engine.callbacks.rules import Choice
from osprey.errors import ConfigError
from osprey.imaging.boxes import Detections
from osprey.models.checkpoint import read_checkpoint
from osprey.tasks.classification.validated import ValidatedLogits
from osprey.tasks.detection.validated import ValidatedBoxes
from osprey.tasks.validated import Validated

Osprey = Callable[..., Result]


class Known(Validated):
    """Answers of which everything is given."""

    def __init__(self, error: float, loss: float) -> None:
        self.error, self.loss = error, loss

    def standard_error(self, key: str) -> float:
        return self.error

    def log_loss(self) -> float:
        return self.loss


EPOCHS = some.lists(
    some.tuples(some.floats(0, 1), some.floats(0, 0.3), some.floats(0, 3)), min_size=1, max_size=20
)


@settings(deadline=None)
@given(EPOCHS)
def test_each_rule_by_its_definition(epochs: list[tuple[float, float, float]]) -> None:
    """One epoch after another, each rule ends at what its definition says of all of them."""
    scores = [score for score, _, _ in epochs]
    highest = scores.index(max(scores))
    near = [i for i, score in enumerate(scores) if score >= scores[highest] - epochs[highest][1]]
    losses = [loss for _, _, loss in epochs]
    wanted = {
        "highest": highest,
        "last": len(epochs) - 1,
        "log_loss": losses.index(min(losses)),
        "within_error": near[-1],
        "auto": near[-1],
    }
    for rule, place in wanted.items():
        choice = Choice(rule)
        taken = [
            number
            for number, (score, error, loss) in enumerate(epochs, 1)
            if choice.takes(number, score, "top1", Known(error, loss))
        ]
        assert taken[-1] == choice.epoch == place + 1, rule


@pytest.mark.parametrize("rule", ["auto", "within_error"])
def test_without_an_error_the_first_highest_is_taken(rule: str) -> None:
    choice = Choice(rule)
    scores = (0.5, 0.7, 0.7, 0.6)
    taken = [n for n, s in enumerate(scores, 1) if choice.takes(n, s, "map", Validated())]
    assert taken == [1, 2]


def test_a_log_loss_that_nothing_tells() -> None:
    with pytest.raises(ConfigError, match="tells no log loss of a validation; use highest or last"):
        Choice("log_loss").takes(1, 0.5, "map", Validated())


def test_the_error_of_a_classifier() -> None:
    """Of top-1 it is that of a share; padding is left out, and the order does not matter."""
    draw = torch.Generator().manual_seed(0)
    logits = torch.randn(400, 4, generator=draw)
    targets = torch.randint(4, (400,), generator=draw)
    index = torch.randperm(400, generator=draw)
    parts = [(index[:300], targets[:300], logits[:300]), (index[300:], targets[300:], logits[300:])]
    padding = (torch.tensor([-1]), torch.tensor([0]), torch.zeros(1, 4))
    found = ValidatedLogits([*parts, padding])
    share = float((logits.argmax(1) == targets).float().mean())
    assert found.standard_error("top1") == pytest.approx(
        np.sqrt(share * (1 - share) / 400), rel=0.2
    )
    assert found.standard_error("ece") is None
    assert found.log_loss() == pytest.approx(np.log(4), abs=0.01)  # the answers know nothing
    assert ValidatedLogits([]).standard_error("top1") is None


def test_the_error_of_a_detector() -> None:
    """A photo in four is found whole, the others not at all: the AP is that of a share."""
    box = np.array([[10, 10, 20, 20]], np.float32)
    there = Detections(box, np.ones(1, np.float32), np.zeros(1, np.int64))
    none = Detections(box[:0], np.ones(0, np.float32), np.zeros(0, np.int64))
    pairs = [(there, there if number % 4 == 0 else none) for number in range(200)]
    found = ValidatedBoxes(pairs).standard_error("map")
    assert found == pytest.approx(np.sqrt(0.25 * 0.75 / 200), rel=0.25)
    assert ValidatedBoxes(pairs).standard_error("map_small") is None
    assert ValidatedBoxes([(none, there)] * 3).standard_error("map") is None


def epoch_of(run: Path, name: str) -> int:
    return int(read_checkpoint(run / "checkpoints" / name)["epoch"]) + 1


@pytest.mark.parametrize("rule", ["last", "auto", "within_error", "log_loss"])
def test_a_run_keeps_the_epoch_of_its_rule(
    here: Path, osprey: Osprey, photos: Path, rule: str
) -> None:
    """A rate of 0 in effect: all epochs answer alike, and the highest is the first."""
    words = ["data=folder", f"data.root={photos}", "model=simple_cnn", *TINY]
    same = ["optimizer.lr=1e-12", f"callbacks.checkpoint_rule={rule}", "name=same"]
    done = osprey("train", *words, *same)
    assert done.code == 0, done.err
    run = (here / "runs" / "latest").resolve()
    epochs = json.loads((run / "summary.json").read_text())["epochs"]
    assert epoch_of(run, "best.ckpt") == epochs["best"]
    if rule == "log_loss":
        return
    assert (epochs["best"], epochs["highest"]) == (2, 1)
    (line,) = [line for line in done.out.splitlines() if line.startswith("best    epoch")]
    assert line.startswith("best    epoch 2 of 2: validation macro-F1 ")
    assert " in epoch 1" in line and ("standard error" in line) == (rule != "last")
    # What goes on remembers the highest figure and its error.
    again = osprey("train", f"resume={run}", "trainer.max_epochs=3")
    assert again.code == 0, again.err
    assert json.loads((run / "summary.json").read_text())["epochs"]["best"] == 3


def test_what_a_rule_cannot_do_is_said_before_training(
    here: Path, osprey: Osprey, photos: Path
) -> None:
    boxes = osprey("train", "task=detection", "data=harbour_boxes", "model=fcos", *TINY_BOXES,
                   "callbacks.checkpoint_rule=log_loss")  # fmt: skip
    assert (boxes.code, boxes.err) == (
        2,
        "osprey train: callbacks.checkpoint_rule=log_loss: a detector has no log loss; use "
        "highest, last or within_error\n",
    )
    words = ["data=folder", f"data.root={photos}", "callbacks.checkpoint_rule=lst"]
    unknown = osprey("train", *words)
    assert unknown.code == 2 and "did you mean 'last'?" in unknown.err
