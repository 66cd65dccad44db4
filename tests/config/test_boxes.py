"""Settings that go with boxes alone, and those that boxes cannot go with."""

from __future__ import annotations

import pytest
from helpers import train_config

from osprey.config.validate import _check_boxes, validate
from osprey.errors import ConfigError


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
    config = train_config("augmentation=none", setting)
    config.task.name = task
    with pytest.raises(ConfigError, match=f"^{message}: "):
        _check_boxes(config)


def test_the_policies_for_detection_go_with_it() -> None:
    for name in ("detection", "detection_strong", "standard"):
        config = train_config(f"augmentation={name}", "data.resize=letterbox")
        config.task.name = "detection"
        _check_boxes(config)


@pytest.mark.parametrize("setting", ["augmentation.mosaic=1.1", "augmentation.multi_scale=0.6"])
def test_ranges(setting: str) -> None:
    with pytest.raises(ConfigError, match=r"is out of range \(0 to "):
        validate(train_config(setting))
