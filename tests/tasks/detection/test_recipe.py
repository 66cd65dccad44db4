"""``experiment=detect``: settings that nobody has set are chosen by the data, told and kept."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from conftest import Result, only_run
from hypothesis import given
from hypothesis import strategies as st

from osprey.config.schema import ModelConfig, OptimizerConfig, SchedulerConfig
from osprey.tasks.detection.recipe import Facts, decide

Call = Callable[..., Result]
FEW_STEPS = ["trainer.max_epochs=1", "trainer.limit_train_batches=2", "trainer.autotune=false"]
SMALL = ["model.pretrained=false", "model.backbone=mobilenetv3_small_050", "data.num_workers=0"]


class Settings:
    """Those that the recipe looks at."""

    from_run = None
    optimizer, scheduler = OptimizerConfig(), SchedulerConfig()

    def __init__(self, name: str = "fcos", pretrained: bool = True) -> None:
        self.model = ModelConfig(
            target="osprey.models.detection.build.create_detector", name=name, pretrained=pretrained
        )
        self.data = type("Data", (), {"size": None})()


def choices(facts: Facts, **settings: object) -> dict[str, object]:
    made = decide(Settings(**settings), facts)  # type: ignore[arg-type]
    assert all(decision.because and "\n" not in decision.because for decision in made)
    assert len({decision.setting for decision in made}) == len(made)
    return {decision.setting: decision.value for decision in made}


FACTS = st.builds(
    Facts,
    photos=st.integers(1, 60_000),
    side=st.integers(8, 10_000),
    small=st.floats(1e-4, 1),
    smallest=st.just("cod"),
    large=st.floats(1e-4, 1),
    rarest=st.floats(1e-4, 1),
    rare=st.just("eel"),
)


@given(FACTS, st.sampled_from(["fcos", "retinanet", "ssdlite", "rtdetr"]), st.booleans())
def test_every_choice_can_be_trained(facts: Facts, name: str, pretrained: bool) -> None:
    made = choices(facts, name=name, pretrained=pretrained)
    size = made["data.size"]
    assert isinstance(size, int) and size % 32 == 0 and 96 <= size <= 640
    least = 128 if name == "rtdetr" else 96
    assert least <= size <= max(least, facts.side + 31), "photos are not enlarged"
    assert 4 <= made["trainer.max_epochs"] <= 100  # type: ignore[operator]
    assert made.get("model.freeze_batchnorm", False) in (False, pretrained)
    assert pretrained or "model.freeze_stages" not in made
    assert 0.9 <= made.get("callbacks.ema_decay", 0.9) <= 0.9995  # type: ignore[operator]
    assert ("data.sampler" in made) == (facts.rarest < 0.1)
    assert name != "rtdetr" or not any(key.startswith("model.options") for key in made)


def test_small_boxes_are_seen() -> None:
    facts = Facts(205, 1920, 12 / 1920, "fry", 0.1, 1.0, "fry")
    (size,) = (d for d in decide(Settings(), facts) if d.setting == "data.size")  # type: ignore[arg-type]
    assert (size.value, size.because) == (
        640,
        "a quarter of 'fry' is below 12 px on photos of 1920, 4 px on 640",
    )
    assert choices(Facts(205, 1920, 0.2, "cow", 0.4, 1.0, "cow"))["data.size"] == 320


def draw(
    root: Path, boxes: dict[str, list[tuple[str, int, int, int, int]]], side: int = 96
) -> Path:
    """Photos with bright boxes, and their table ``boxes.csv``: name to (label, x, y, w, h)."""
    root.mkdir()
    rng = np.random.default_rng(0)
    lines = []
    for name, found in boxes.items():
        pixels = rng.integers(0, 90, (side, side, 3)).astype(np.uint8)
        for label, x, y, w, h in found:
            pixels[y : y + h, x : x + w] = 200 if label == "cod" else 140
            lines.append((name, label, x, y, w, h))
        if not found:
            lines.append((name, "", "", "", "", ""))  # type: ignore[arg-type]
        cv2.imwrite(str(root / name), pixels)
    with (root / "boxes.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["path", "label", "x", "y", "w", "h"])
        writer.writerows(lines)
    return root


def words(root: Path, *more: str) -> list[str]:
    data = ["data=boxes", f"data.root={root}", f"data.file={root}/boxes.csv"]
    return ["train", "experiment=detect", *data, *FEW_STEPS, *SMALL, *more]


def some(number: int) -> list[tuple[str, int, int, int, int]]:
    return [("cod", 5 + number % 40, 8, 30, 20), ("eel", 40, 50 + number % 20, 24, 12)]


def test_choices_are_told_kept_and_overridden(here: Path, osprey: Call) -> None:
    root = draw(here / "fish", {f"{n}.png": some(n) for n in range(40)})
    (here / "mine" / "local").mkdir(parents=True)
    (here / "mine" / "local" / "default.yaml").write_text(
        "# @package _global_\ndata: {eval_batch_size: 5}\n"
    )
    (here / "mine" / "experiment").mkdir()
    (here / "mine" / "experiment" / "reef.yaml").write_text(
        "# @package _global_\ndefaults: [detect]\nscheduler: {warmup: 0.3}\n"
    )
    (line, *rest) = words(root, "optimizer.lr=1e-3", "callbacks.ema_decay=null")
    given = [word.replace("experiment=detect", "experiment=reef") for word in rest]
    result = osprey(line, "--config-dir", "mine", *given)
    assert result.code == 0, result.err
    table = [line.split()[1] for line in result.out.splitlines() if line.startswith("chosen  ")]
    assert table == ["data.size=96", "data.batch_size=8"]
    assert "data.size=96       a quarter of 'eel' is below 17 px on photos of 96, 17 px on 96" in (
        result.out
    )
    kept = json.loads((only_run(here) / "decisions.json").read_text())
    assert [(d["setting"], d["value"]) for d in kept] == [("data.size", 96), ("data.batch_size", 8)]
    config = (only_run(here) / "config.yaml").read_text()
    for said in ("lr: 0.001", "ema_decay: null", "eval_batch_size: 5", "warmup: 0.3", "size: 96"):
        assert f" {said}\n" in config, said


def test_only_for_tasks_with_a_recipe(here: Path, photos: Path, osprey: Call) -> None:
    result = osprey("train", "data=folder", f"data.root={photos}", "fit_to_data=true")
    assert (result.code, result.err) == (
        2,
        "osprey train: fit_to_data=true: task=classification has no recipe; leave it out\n",
    )


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ([], True),
        (["optimizer.lr=1e-3"], False),
        (["optimizer.layer_decay=0.9"], False),
        (["model.freeze_batchnorm=false"], False),
        (["optimizer=sgd"], False),
    ],
)
def test_a_harmful_rate_is_warned_of(
    here: Path, trained: Path, photos: Path, osprey: Call, more: list[str], said: bool
) -> None:
    data = ["data=folder", f"data.root={photos}", "data.num_workers=0", *FEW_STEPS]
    words = ["optimizer.lr=2e-3", "model.freeze_batchnorm=true", f"from={only_run(trained)}"]
    result = osprey("train", *data, *words, *more)
    assert result.code == 0, result.err
    line = (
        "note    optimizer.lr=0.002 for all layers while BatchNorm is held "
        "(model.freeze_batchnorm=true) has driven networks to one answer for every photo: lower "
        "it, or add optimizer.layer_decay=0.9\n"
    )
    assert (line in result.out) == said


BAD: dict[str, dict[str, list[tuple[str, int, int, int, int]]]] = {
    "all of one size": {f"{n}.png": [("cod", n, n, 20, 20)] for n in range(40)},
    "all at the border": {f"{n}.png": [("cod", 0, 0, 96, 10 + n)] for n in range(40)},
    "a thousand on one": {
        f"{n}.png": [("cod", 2 * (k % 40), k // 16, 9, 9) for k in range(1000 if n == 3 else 1)]
        for n in range(40)
    },
    "one of a class": {f"{n}.png": some(n)[: 2 if n == 4 else 1] for n in range(40)},
    "half of them empty": {f"{n}.png": some(n) if n % 2 else [] for n in range(40)},
}


@pytest.mark.parametrize("kind", BAD)
def test_odd_boxes_train_and_are_judged(here: Path, osprey: Call, kind: str) -> None:
    """A sound run, its figures beside those of fixed boxes."""
    root = draw(here / "odd", BAD[kind])
    result = osprey(*words(root, "data.split_seed=3"))
    assert result.code == 0, result.err
    assert any(line.startswith("blind   AP50 ") for line in result.out.splitlines())
    summary = json.loads((only_run(here) / "summary.json").read_text())
    assert 0 <= summary["test"]["ap50"] <= 1


def test_photos_of_nothing(here: Path, osprey: Call) -> None:
    root = draw(here / "none", {f"{n}.png": [] for n in range(40)})
    result = osprey(*words(root))
    assert result.code == 2 and result.err.count("\n") == 1
    assert result.err.endswith("has a box: there is nothing to learn\n")


def test_no_boxes_to_check_by(here: Path, osprey: Call) -> None:
    root = draw(here / "fish", {f"{n}.png": some(n) if n < 30 else [] for n in range(40)})
    lines = (root / "boxes.csv").read_text().splitlines()
    rows = [f"{lines[0]},split"]
    rows += [f"{line},{'train' if line.split('.')[0] < '3' else 'val'}" for line in lines[1:]]
    (root / "boxes.csv").write_text("\n".join(rows) + "\n")
    splits = {f"{n}.png": "train" if n < 30 else "val" for n in range(40)}
    rows = [f"{lines[0]},split"]
    rows += [f"{line},{splits[line.split(',')[0]]}" for line in lines[1:]]
    (root / "boxes.csv").write_text("\n".join(rows) + "\n")
    result = osprey(*words(root))
    assert (result.code, result.err) == (
        2,
        "osprey train: the 'val' split has no boxes: nothing to learn or to check\n",
    )


def test_a_detector_is_trained_on(detector: Path, here: Path, osprey: Call) -> None:
    """``from=``: the network, its input's statistics, and the head of classes of the same name."""
    root = draw(here / "fish", {f"{n}.png": [("fish", *some(n)[0][1:])] for n in range(40)})
    data = ["data=boxes", f"data.root={root}", f"data.file={root}/boxes.csv", "data.num_workers=0"]
    donor = only_run(detector)
    result = osprey("train", "experiment=detect", f"from={donor}", *data, *FEW_STEPS)
    assert result.code == 0, result.err
    assert f"weights: {donor.resolve()}/checkpoints/best.ckpt, head included" in result.out
    assert "model   ssdlite on mobilenetv3_small_050" in result.out
    assert "optimizer.lr=0.001" in result.out
    again = osprey("train", "task=detection", "model=fcos", f"from={donor}", *data, *FEW_STEPS)
    assert again.code == 2
    assert again.err == (
        "osprey train: model cannot be set beside from=RUN: a run brings its own network\n"
    )


def test_a_photo_of_50_megapixels(here: Path, osprey: Call) -> None:
    root = draw(here / "fish", {f"{n}.png": some(n) for n in range(40)})
    pixels = np.full((6250, 8000, 3), 40, np.uint8)
    pixels[1000:3000, 2000:5000] = 200
    cv2.imwrite(str(root / "large.jpg"), pixels)
    with (root / "boxes.csv").open("a") as file:
        file.write("large.jpg,cod,2000,1000,3000,2000\n")
    result = osprey(*words(root))
    assert result.code == 0, result.err
    rows = (only_run(here) / "manifest.csv").read_text()
    assert "large.jpg" in rows and ",8000,6250," in rows
