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
    with pytest.raises(CheckpointError, match=r"does not fit this model: keys .*") as caught:
        build_pretrained(SPEC, 2, str(tmp_path / "x.pth"))
    assert str(caught.value).endswith(
        "; the backbone is 'test_efficientnet': name that of the weights with model.backbone=NAME"
    )


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


@pytest.mark.parametrize("name", ["fcos", "retinanet", "fasterrcnn_mobilenet", "ssdlite"])
def test_weights_of_a_detector_of_other_classes(name: str, tmp_path: Path) -> None:
    theirs = whole.torchvision_detector(name, 4).network.state_dict()
    torch.save(theirs, tmp_path / "x.pth")
    spec = ModelSpec("detector", name, {})
    detector, line = build_pretrained(spec, 2, str(tmp_path / "x.pth"))
    assert line == f"weights: {tmp_path / 'x.pth'} (layers that name classes left out)"
    assert isinstance(detector, Detector)
    of_classes = detector.class_layers
    for key, value in detector.state_dict().items():
        if not key.startswith(of_classes):
            assert torch.equal(value, theirs[key.removeprefix("network.")]), key
    torch.save({**theirs, "odd": torch.zeros(1)}, tmp_path / "odd.pth")
    with pytest.raises(CheckpointError, match=r"0 keys missing, 1 unknown .*, first 'odd'"):
        build_pretrained(spec, 2, str(tmp_path / "odd.pth"))


@pytest.mark.parametrize("name", ["fcos", "fasterrcnn_mobilenet", "ssdlite"])
def test_classes_that_coco_knows_keep_what_was_learnt(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(0)
    coco = whole.coco_network(name)
    layers = [m for m in coco.modules() if isinstance(m, torch.nn.Linear | torch.nn.Conv2d)]
    for layer in layers:  # biases start equal, and would agree by chance
        if layer.bias is not None:
            torch.nn.init.normal_(layer.bias)
    monkeypatch.setattr(whole, "coco_weights", lambda name: coco.state_dict())
    spec = ModelSpec("detector", name, {})
    detector, line = build_pretrained(spec, 3, True, ["eel", "Dog", "cat"])
    assert line.endswith("(COCO) (head kept for Dog, cat; begun anew for eel)")
    assert isinstance(detector, Detector)
    own, there = detector.state_dict(), whole.coco_classes(name)
    assert there[-1] == "toothbrush"
    for key in (k for k in own if k.startswith(detector.class_layers)):
        theirs = coco.state_dict()[key.removeprefix("network.")]
        mine, others = (
            detector.by_class(key, own[key], 3),
            detector.by_class(key, theirs, len(there)),
        )
        for place, label in ((-2, "dog"), (-1, "cat")):
            number = there.index(label) - len(there)
            assert torch.equal(mine[:, place], others[:, number]), key
        assert not torch.equal(mine[:, -3], others[:, there.index("dog") - len(there)]), key


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
