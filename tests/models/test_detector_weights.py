"""Weights of detectors: a classifier's into the backbone, a whole network's but for its classes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import timm
import torch

from osprey.errors import CheckpointError
from osprey.models.detection import torchvision_detectors as whole
from osprey.models.detection.detector import Detector
from osprey.models.registry import ModelSpec
from osprey.models.weights import build_pretrained

SPEC = ModelSpec(
    "detector", "fcos", {"backbone": "test_efficientnet", "width": 32, "levels": 3, "convs": 1}
)


def test_a_classifier_s_weights_fill_the_backbone(tmp_path: Path) -> None:
    torch.manual_seed(0)
    classifier = timm.create_model("test_efficientnet", num_classes=7).state_dict()
    torch.save(classifier, tmp_path / "x.pth")
    detector, line = build_pretrained(SPEC, 2, str(tmp_path / "x.pth"))
    named = "bn2.bias, bn2.num_batches_tracked, bn2.running_mean, 5 more"
    assert line == f"weights: {tmp_path / 'x.pth'} (head left out: {named})"
    assert isinstance(detector, Detector)
    own = detector.body.state_dict()
    assert all(torch.equal(value, classifier[key]) for key, value in own.items())
    assert own.keys() < classifier.keys()


def test_other_weights_are_refused(tmp_path: Path) -> None:
    torch.save(timm.create_model("test_resnet").state_dict(), tmp_path / "x.pth")
    with pytest.raises(CheckpointError, match=r"does not fit this model: keys .* missing, first"):
        build_pretrained(SPEC, 2, str(tmp_path / "x.pth"))


def test_random_weights_fetch_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: Any, **__: Any) -> None:
        raise AssertionError("something was fetched")

    monkeypatch.setattr(torch.hub, "load_state_dict_from_url", never)
    monkeypatch.setattr(torch.hub, "download_url_to_file", never)
    with torch.device("meta"):
        for name in ("ssdlite", "fasterrcnn_mobilenet"):
            assert build_pretrained(ModelSpec("detector", name, {}), 2, False)[1] == (
                "weights: random"
            )


def test_weights_of_coco_but_for_its_classes(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    state = whole.coco_network("ssdlite").state_dict()
    monkeypatch.setattr(whole, "coco_weights", lambda name: state)
    spec = ModelSpec("detector", "ssdlite", {})
    detector, line = build_pretrained(spec, 90, True)
    assert line == "weights: torchvision's for ssdlite (COCO) (layers that name classes left out)"
    assert isinstance(detector, Detector)
    for key, value in detector.state_dict().items():
        same = torch.equal(value, state[key.removeprefix("network.")])
        assert same != (key.startswith(detector.class_layers) and key.endswith("weight")), key
    monkeypatch.setattr(whole, "coco_weights", lambda name: {"odd": torch.zeros(1)})
    with pytest.raises(CheckpointError, match=r"does not fit torchvision's ssdlite: \d+ keys miss"):
        build_pretrained(spec, 90, True)


def test_weights_that_cannot_be_had(monkeypatch: pytest.MonkeyPatch) -> None:
    def offline(name: str) -> None:
        raise OSError("no route to host")

    monkeypatch.setattr(whole, "coco_weights", offline)
    with pytest.raises(CheckpointError) as caught:
        build_pretrained(ModelSpec("detector", "ssdlite", {}), 2, True)
    assert str(caught.value) == (
        "the pretrained weights of 'ssdlite' could not be downloaded (no route to host): give "
        "model.backbone=NAME model.pretrained=PATH, or start from nothing with "
        "model.pretrained=false"
    )
