"""Settings that go with boxes alone, and those that boxes cannot go with."""

from __future__ import annotations

import pytest
from helpers import train_config

from osprey.errors import ConfigError
from osprey.tasks.checks import validate_run as validate


@pytest.mark.parametrize(
    ("task", "setting", "message"),
    [
        (
            "classification",
            "augmentation.mosaic=0.5",
            "augmentation.mosaic goes with task=detection",
        ),
        (
            "classification",
            "augmentation.multi_scale=0.25",
            "augmentation.multi_scale goes with task=detection",
        ),
        ("detection", "augmentation.mixup=0.2", "augmentation.mixup goes with task=classification"),
        ("detection", "augmentation.cutmix=1", "augmentation.cutmix goes with task=classification"),
        (
            "detection",
            "augmentation.erasing=1",
            "augmentation.erasing goes with task=classification",
        ),
        ("detection", "data.resize=crop", "data.resize=crop would cut boxes off"),
    ],
)
def test_what_a_task_cannot_use_is_refused(task: str, setting: str, message: str) -> None:
    model = ["model=fcos", "task=detection"] if task == "detection" else []
    with pytest.raises(ConfigError, match=f"^{message}"):
        validate(train_config("augmentation=none", *model, setting))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["task=detection"], "task=detection needs a detector, and 'simple_cnn' is none: model="),
        (["model=fcos"], "model=fcos finds boxes: add task=detection"),
        (["model=resnet18", "model.backbone=resnet18"], "model.backbone goes with a detector"),
        (
            ["task=detection", "model=fcos", "+task.label_smoothing=0.1"],
            "task.label_smoothing goes with task=classification: leave it out",
        ),
        (
            ["task=detection", "model=fcos", "callbacks.averaging=soup"],
            "callbacks.averaging goes with task=classification: set it to none",
        ),
    ],
)
def test_task_and_model_belong_together(words: list[str], message: str) -> None:
    with pytest.raises(ConfigError, match=f"^{message}"):
        validate(train_config(*words))


def test_the_policies_for_detection_go_with_it() -> None:
    for name in ("detection", "detection_strong", "standard"):
        validate(train_config("task=detection", "model=fcos", f"augmentation={name}"))


@pytest.mark.parametrize("setting", ["augmentation.mosaic=1.1", "augmentation.multi_scale=0.6"])
def test_ranges(setting: str) -> None:
    with pytest.raises(ConfigError, match=r"is out of range \(0 to "):
        validate(train_config(setting))
