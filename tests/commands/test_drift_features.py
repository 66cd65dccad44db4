"""Features in a bundle, in the log of answers, and in ``osprey drift``."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import Result, only_run
from torch import Tensor, nn

from osprey.errors import BundleError
from osprey.inference.card import Card, read_card
from osprey.inference.drift import EDGES
from osprey.inference.feature_drift import DIRECTIONS, feature_shares, spread_from, spread_of
from osprey.inference.predictor import Predictor
from osprey.serving.answer_log import AnswerLog
from osprey.serving.metrics import Metrics
from osprey.serving.models import Answered
from osprey.tasks.classification.features import with_features

Call = Callable[..., Result]
CLASSES = ["ant", "bee"]
PREPROCESS = {"size": 32, "resize": "squash", "mean": [0.5] * 3, "std": [0.5] * 3, "crop_pct": 1}


def spread(rows: np.ndarray) -> Any:
    found = spread_from(spread_of(list(rows)))
    assert found is not None
    return found


def test_chance_is_no_drift_and_a_moved_direction_is() -> None:
    draw = np.random.default_rng(0)
    then = spread(draw.normal(size=(400, 4)))
    assert then.count == 400 and then.counts[0] == [25] * 16
    alarms = sum(
        feature_shares(then.of(draw.normal(size=(300, 4))), then)[0][0].differs for _ in range(200)
    )
    assert alarms <= 6, "one log in a hundred, by the design of the test"
    moved = draw.normal(size=(300, 4)) + np.array([0, 0, 0.8, 0])
    first, *rest = feature_shares(then.of(moved), then)[0]
    assert first.name.startswith("direction 3 below ") and first.differs
    assert first.high < 0, "fewer lie below"
    assert first.low < first.now - first.then < first.high
    assert not any(share.differs for share in rest)


@pytest.mark.parametrize(
    "content",
    [
        None,
        {"edges": [], "counts": []},
        {"edges": [[1.0] * 15], "counts": [[0] * 16]},
        {"edges": [[2.0, *[1.0] * 14]], "counts": [[1] * 16]},
        {"edges": [["a"] * 15], "counts": [[1] * 16]},
        {"edges": [[1.0] * 15], "counts": [[1] * 15]},
        {"edges": [[1.0] * 15] * 2, "counts": [[1] * 16, [2] * 16]},
        {"edges": [[float("nan")] * 15], "counts": [[1] * 16]},
    ],
)
def test_a_card_with_none_that_are_sound(content: Any) -> None:
    assert spread_from(content) is None


class _Net(nn.Module):
    """A small network with something after its last layer, or nothing."""

    def __init__(self, after: nn.Module) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Flatten(), nn.Linear(12, 16), nn.ReLU())
        self.head, self.after = nn.Linear(16, 3), after

    def forward(self, images: Tensor) -> Tensor:
        out: Tensor = self.after(self.head(self.body(images)))
        return out


def test_the_logits_stay_and_the_directions_are_of_the_features() -> None:
    torch.manual_seed(0)
    network = _Net(nn.Identity()).eval()
    both = with_features(network, 3, 8, 2)
    images = torch.rand(5, 3, 2, 2)
    logits, features = both(images)
    torch.testing.assert_close(logits, network(images))
    seen = network.body(images)
    scale = network.head.weight.norm(dim=1).mean()
    assert features.shape == (5, 8)
    assert bool((features.norm(dim=1) <= scale * seen.norm(dim=1) + 1e-5).all()), "a projection"
    assert network.head.out_features == 3, "the network itself is left alone"
    for after in (nn.LogSoftmax(dim=1), nn.Linear(3, 4), nn.LayerNorm(3)):
        with pytest.raises(BundleError, match="--features is for networks that end in one linear"):
            with_features(_Net(after).eval(), 3, 8, 2)


def write_card(folder: Path, features: np.ndarray | None) -> None:
    folder.mkdir()
    answers = {
        "classes": {"ant": 200, "bee": 200},
        "scores": [0] * 8 + [400] + [0] * 7,
        "edges": list(EDGES),
    }
    check = {
        "answers": answers,
        "features": None if features is None else spread_of(list(features)),
    }
    card = Card("classification", "osprey.x.Y", CLASSES, PREPROCESS, "0" * 64, check=check)
    (folder / "card.json").write_text(card.to_json())


def write_log(file: Path, features: np.ndarray | None) -> None:
    lines = []
    for row in range(200):
        label = CLASSES[row % 2]
        record = {"label": label, "score": 0.85, "top": [[label, 0.85]]}
        line = {"time": "2026-05-01", "sha256": "0", "answer": record, "bundle": "fish@1"}
        if features is not None:
            line["features"] = [round(v, 4) for v in features[row].tolist()]
        lines.append(json.dumps(line) + "\n")
    file.write_text("".join(lines))


def test_the_command(here: Path, osprey: Call) -> None:
    draw = np.random.default_rng(3)
    write_card(here / "b", draw.normal(size=(400, 8)))
    write_log(here / "same.jsonl", draw.normal(size=(200, 8)))
    same = osprey("drift", "b", "same.jsonl")
    assert (same.code, same.err) == (0, "")
    assert same.out.splitlines()[3].startswith(
        "features all 8 directions: no further from validation than chance explains (KS at most 0."
    )
    write_log(here / "other.jsonl", draw.normal(size=(200, 8)) * 3)
    other = osprey("drift", "b", "other.jsonl")
    assert other.code == 1
    lines = [line for line in other.out.splitlines() if line.startswith("features")]
    assert len(lines) >= 3 and " points (" in lines[0]
    assert "drift    yes: features (99% intervals)." in other.out
    write_log(here / "none.jsonl", None)
    none = osprey("drift", "b", "none.jsonl")
    assert none.code == 0 and "features" not in none.out
    assert none.err == "features of 0 answers in the log: 30 or more are needed\n"
    write_card(here / "plain", None)
    plain = osprey("drift", "plain", "other.jsonl")
    assert plain.code == 0 and "features" not in plain.out + plain.err


def test_a_bundle_that_tells_them(bundles: Path, osprey: Call, photos: Path) -> None:
    run = only_run(bundles)
    before = Predictor(run / "bundle")
    result = osprey("export", run, "--features", "--output", "told")
    assert result.code == 0, result.err
    card = read_card(Path("told"))
    assert card.options == {"features": DIRECTIONS} and card.check["agreement"] == 1
    then = spread_from(card.check["features"])
    assert then is not None and then.count == card.check["photos"]
    predictor = Predictor(Path("told"))
    files = sorted(photos.rglob("*.png"))
    log = AnswerLog(Path("answers.jsonl"), Metrics())
    for ours, theirs in zip(before.predict(files), predictor.predict(files), strict=True):
        assert ours.labels(card.classes) == theirs.labels(card.classes)
        record = theirs.record(card.classes)
        assert list(record) == ["file", "label", "score", "top"], "the record is as without"
        assert record["score"] == pytest.approx(ours.record(card.classes)["score"], abs=1e-5)
        features = theirs.features  # type: ignore[attr-defined]
        assert features.shape == (DIRECTIONS,)
        log.add(b"", Answered(record, "fish@1", card.sha256, features))
    log.close()
    AnswerLog(Path("answers.jsonl"), Metrics()).close()  # is known as a log again
    lines = [json.loads(line) for line in Path("answers.jsonl").read_text().splitlines()]
    assert list(lines[0]) == ["time", "sha256", "answer", "bundle", "features"]
    drift = osprey("drift", "told", "answers.jsonl")
    assert "features " in drift.out, drift.err
    refused = osprey("export", run, "--features", "--detector", "told")
    assert (refused.code, refused.err) == (
        2,
        "osprey export: --features is for a bundle of one step: leave --detector out\n",
    )
