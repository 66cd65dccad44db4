"""``experiment=detect``: settings that nobody has set are chosen by the data, told and kept."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
import pytest
import torch
from conftest import Result, only_run
from hypothesis import given
from hypothesis import strategies as st

from osprey.config.schema import (
    AugmentationConfig,
    DataConfig,
    ModelConfig,
    OptimizerConfig,
    SchedulerConfig,
    TrainConfig,
    TrainerConfig,
)
from osprey.data.manifest import complete
from osprey.models.detection.spec import HEADS
from osprey.models.detection.torchvision_detectors import coco_network
from osprey.tasks.detection.recipe import Facts, decide, facts_of

Call = Callable[..., Result]
FEW_STEPS = ["trainer.max_epochs=1", "trainer.limit_train_batches=2", "trainer.autotune=false"]
SMALL = ["model.pretrained=false", "model.backbone=mobilenetv3_small_050", "data.num_workers=0"]


EVERYTHING = {
    *("data.size", "data.batch_size", "data.eval_batch_size", "data.sampler"),
    *("model.backbone", "model.freeze_batchnorm", "model.freeze_stages"),
    *("optimizer.lr", "optimizer.layer_decay", "trainer.max_epochs", "callbacks.ema_decay"),
}


def settings(name: str = "fcos", pretrained: bool = True, strategy: str = "single") -> TrainConfig:
    """What ``experiment=detect`` composes, as far as the recipe looks at it."""
    detector = "osprey.models.detection.build.create_detector"
    parts: Any = {
        "model": ModelConfig(target=detector, name=name, pretrained=pretrained),
        "data": DataConfig(name="", reader="boxes", root=""),
        "trainer": TrainerConfig(strategy=strategy),
        "augmentation": AugmentationConfig(name="detection", steps=[]),
        **dict.fromkeys(("task", "callbacks", "logger", "paths", "cost", "extras")),
    }
    return TrainConfig(name="", optimizer=OptimizerConfig(), scheduler=SchedulerConfig(), **parts)


def choices(facts: Facts, **given: Any) -> dict[str, Any]:
    made = decide(settings(**given), facts, EVERYTHING)
    assert all(decision.because and "\n" not in decision.because for decision in made)
    assert len({decision.setting for decision in made}) == len(made)
    return {decision.setting: decision.value for decision in made}


FACTS = st.builds(
    Facts,
    photos=st.integers(1, 60_000),
    side=st.integers(8, 10_000),
    smallest=st.just("cod"),
    small=st.floats(1, 1000),
    share=st.floats(1e-4, 1),
    large=st.floats(1e-4, 1),
    rare=st.just("eel"),
    rarest=st.floats(1e-4, 1),
)
NAMES = ["fcos", "retinanet", "ssdlite", "rtdetr", "fasterrcnn_mobilenet"]


@given(FACTS, st.sampled_from(NAMES), st.booleans(), st.sampled_from(["single", "fsdp"]))
def test_every_choice_can_be_trained(
    facts: Facts, name: str, pretrained: bool, strategy: str
) -> None:
    made = choices(facts, name=name, pretrained=pretrained, strategy=strategy)
    size = made["data.size"]
    least = 128 if name == "rtdetr" else 96
    assert size % 32 == 0 and least <= size <= 640
    assert size <= max(least, facts.side + 31), "photos are not enlarged"
    assert 4 <= made["trainer.max_epochs"] <= 100
    assert made.get("model.freeze_batchnorm", False) is pretrained
    assert pretrained or "model.freeze_stages" not in made
    assert ("optimizer.layer_decay" in made) == (
        pretrained and strategy == "single" and name in HEADS
    )
    assert strategy == "single" or "callbacks.ema_decay" not in made
    assert 0.9 <= made.get("callbacks.ema_decay", 0.9) <= 0.9995
    assert ("data.sampler" in made) == (facts.rarest < 0.1)
    assert ("augmentation.mosaic" in made) == (facts.share * size >= 8)
    ours = [key for key in made if key.startswith(("model.options", "optimizer.lr"))]
    assert bool(ours) == (name in HEADS), "other networks have rates and sizes of their own"


def test_small_boxes_are_seen() -> None:
    facts = Facts(205, 1920, "fry", 12, 12 / 1920, 0.1, "fry", 1.0)
    (size,) = (d for d in decide(settings(), facts, EVERYTHING) if d.setting == "data.size")
    assert (size.value, size.because) == (
        640,
        "a quarter of 'fry' is below 12 px on photos of 1920, 4 px on 640; smaller than the "
        "network sees well",
    )
    assert choices(Facts(205, 1920, "cow", 384, 0.2, 0.4, "cow", 1.0))["data.size"] == 320


@pytest.mark.parametrize("backbone", [None, "test_resnet"])
def test_trained_on_from_a_network_of_torchvisions_its_rates_stay(backbone: str | None) -> None:
    config = settings()
    config.from_run, config.model.backbone = "runs/detect/before", backbone
    facts = Facts(900, 160, "cod", 40, 0.25, 0.4, "cod", 1.0)
    made = {decision.setting for decision in decide(config, facts, EVERYTHING)}
    ours = {"optimizer.lr", "optimizer.layer_decay", "model.freeze_stages"}
    assert made & ours == (ours if backbone else set())


def test_random_weights_get_a_small_backbone_and_more_passes() -> None:
    facts = Facts(900, 160, "cod", 40, 0.25, 0.4, "cod", 1.0)
    before, anew = choices(facts), choices(facts, pretrained=False)
    assert anew["model.backbone"] == "test_resnet"
    assert anew["trainer.max_epochs"] == 2 * before["trainer.max_epochs"]


@pytest.mark.parametrize(("resize", "share"), [("squash", 0.25), ("letterbox", 0.125)])
def test_sizes_are_those_of_the_photo_and_of_the_input(resize: str, share: float) -> None:
    """On photos of 400 x 100 a box of 50 x 50 is 50 px, and on the input by how it is made."""
    table = pd.DataFrame(
        {
            "path": [f"{n}.png" for n in range(8)],
            "split": "train",
            "width": 400,
            "height": 100,
            "boxes": '[["cod", 10, 10, 50, 50]]',
        }
    )
    facts = facts_of(complete(table, Path(), "it"), resize)
    assert (facts.small, facts.share, facts.side) == (50, share, 400)


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


@pytest.mark.slow
def test_choices_are_told_kept_and_overridden(here: Path, osprey: Call) -> None:
    root = draw(here / "fish", {f"{n}.png": some(n) for n in range(40)})
    for name, text in {
        "local/default": "data: {eval_batch_size: 64}",
        "experiment/reef": "defaults: [detect]\ndata: {batch_size: 32}\nmodel: {freeze_stages: 0}",
    }.items():
        file = here / "mine" / f"{name}.yaml"
        file.parent.mkdir(parents=True)
        file.write_text(f"# @package _global_\n{text}\n")
    (line, *rest) = words(root, "optimizer=sgd", "callbacks.ema_decay=null")
    given = [word.replace("experiment=detect", "experiment=reef") for word in rest]
    result = osprey(line, "--config-dir", "mine", *given)
    assert result.code == 0, result.err
    table = [line.split()[1] for line in result.out.splitlines() if line.startswith("chosen  ")]
    network = ["model.options.width=64", "model.options.levels=3"]
    assert table == ["data.size=96", *network, "augmentation.mosaic=0.5"]
    assert "a quarter of 'eel' is below 17 px on photos of 96, 17 px on 96\n" in result.out
    kept = json.loads((only_run(here) / "decisions.json").read_text())
    assert [f"{d['setting']}={d['value']}" for d in kept] == table
    config = (only_run(here) / "config.yaml").read_text()
    # Also where they say what Osprey's own defaults are.
    for said in ("lr: 0.01", "ema_decay: null", "batch_size: 32", "eval_batch_size: 64"):
        assert f"  {said}\n" in config, said


@pytest.mark.slow
@pytest.mark.parametrize(
    ("more", "kept"),
    [
        (["model.suggested_lr=1e-4"], "lr: 0.0001"),
        (["augmentation=light"], "mosaic: 0.0"),
        (["augmentation.mosaic=0.1"], "mosaic: 0.1"),
        (["optimizer.lr=5e-4"], "lr: 0.0005"),
        (["data.sampler=balanced"], "sampler: balanced"),
        (["data.batch_size=32"], "batch_size: 32"),
        (["model.backbone=test_resnet", "+model.options.levels=5"], "levels: 5"),
        (["trainer=ddp_sim", "trainer.strategy=single", "trainer.devices=1"], "lr: 0.002"),
    ],
)
def test_a_setting_that_is_named_stays(
    here: Path, osprey: Call, more: list[str], kept: str
) -> None:
    root = draw(here / "fish", {f"{n}.png": some(n) for n in range(40)})
    result = osprey(*words(root, *more))
    assert result.code == 0, result.err
    assert f" {kept}\n" in (only_run(here) / "config.yaml").read_text()


def test_only_for_tasks_with_a_recipe(here: Path, photos: Path, osprey: Call) -> None:
    result = osprey(
        *("train", "experiment=detect", "task=classification", "data=folder"),
        *(f"data.root={photos}", "model=simple_cnn", "augmentation=light"),
    )
    assert (result.code, result.err) == (
        2,
        "osprey train: task=classification chooses no settings by the data: leave the recipe out "
        "(experiment=detect is for task=detection)\n",
    )


@pytest.mark.slow
def test_a_sweep_chooses_in_each_trial(here: Path, osprey: Call) -> None:
    root = draw(here / "fish", {f"{n}.png": some(n) for n in range(40)})
    line, *rest = words(root, "model=ssdlite,retinanet")
    result = osprey(line, "-m", *rest)
    assert result.code == 0, result.err
    made = [line.split()[1] for line in result.out.splitlines() if line.startswith("chosen  ")]
    assert made.count("data.size=96") == 2 and made.count("model.options.levels=3") == 1


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ([], True),
        (["optimizer.lr=1e-3"], False),
        pytest.param(["optimizer.layer_decay=0.9"], False, marks=pytest.mark.slow),
        pytest.param(["model.freeze_batchnorm=false"], False, marks=pytest.mark.slow),
        pytest.param(["optimizer=sgd"], False, marks=pytest.mark.slow),
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


@pytest.mark.parametrize(
    "kind",
    [
        pytest.param(kind, marks=pytest.mark.slow if number else ())
        for number, kind in enumerate(BAD)
    ],
)
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
    splits = {f"{n}.png": "train" if n < 30 else "val" for n in range(40)}
    rows = [f"{lines[0]},split"]
    rows += [f"{line},{splits[line.split(',')[0]]}" for line in lines[1:]]
    (root / "boxes.csv").write_text("\n".join(rows) + "\n")
    result = osprey(*words(root))
    assert (result.code, result.err) == (
        2,
        "osprey train: the 'val' split has no boxes: nothing to learn or to check; label boxes in "
        "it, or have the splits cut anew (data.given_split=false)\n",
    )


def test_a_detector_is_trained_on(detector: Path, here: Path, osprey: Call) -> None:
    """``from=``: its data unless others are named, network, input, and the head by class name."""
    donor = only_run(detector)
    same = osprey("train", "experiment=detect", f"from={donor}", *FEW_STEPS, "name=same")
    assert same.code == 0, same.err
    assert "data    harbour_boxes: " in same.out and "best.ckpt, head included" in same.out
    named = {"cod": "fish", "eel": "eel"}
    boxes = {f"{n}.png": [(named[label], *box) for label, *box in some(n)] for n in range(40)}
    root = draw(here / "fish", boxes)  # type: ignore[arg-type]
    data = ["data=boxes", f"data.root={root}", f"data.file={root}/boxes.csv", "data.num_workers=0"]
    result = osprey("train", "experiment=detect", f"from={donor}", *data, *FEW_STEPS, "name=other")
    assert result.code == 0, result.err
    assert "best.ckpt; head kept for fish; begun anew for eel\n" in result.out
    assert "model   ssdlite on mobilenetv3_small_050" in result.out
    assert ", 64 x 64 px squash" in result.out, "the input that its weights know"
    assert "optimizer.lr=0.001" in result.out
    again = osprey("train", "task=detection", "model=fcos", f"from={donor}", *data, *FEW_STEPS)
    assert (again.code, again.err) == (
        2,
        "osprey train: model cannot be set beside from=RUN: a run brings its own network\n",
    )


def test_weights_of_a_whole_detector_need_no_backbone(here: Path, osprey: Call) -> None:
    root = draw(here / "fish", {f"{n}.png": some(n) for n in range(40)})
    torch.save(coco_network("ssdlite").state_dict(), here / "whole.pth")
    data = ["data=boxes", f"data.root={root}", f"data.file={root}/boxes.csv", "data.num_workers=0"]
    given = ["model=ssdlite", f"model.pretrained={here}/whole.pth"]
    result = osprey("train", "experiment=detect", *data, *FEW_STEPS, *given)
    assert result.code == 0, result.err
    assert "model   ssdlite, " in result.out and "model.backbone" not in result.out


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


def test_a_classifier_is_no_detector_to_go_on_from(here: Path, trained: Path, osprey: Call) -> None:
    run = only_run(trained)
    result = osprey("train", "experiment=detect", "data=harbour_boxes", f"from={run}")
    assert (result.code, result.err) == (
        2,
        f"osprey train: from: run '{run}' was trained for task=classification, and this one is "
        "task=detection: name a run of that task, or add task=classification\n",
    )
