"""Detectors behind one interface: what they learn, find, refuse, and how parts of them rest."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from osprey.errors import CheckpointError, ConfigError
from osprey.models.checkpoint import METADATA_KEY, CheckpointMetadata, load_model, write_checkpoint
from osprey.models.detection.detector import Detector, Target
from osprey.models.detection.spec import HEADS, WHOLE, with_backbone
from osprey.models.folding import fold_batchnorm
from osprey.models.registry import (
    ModelSpec,
    build,
    check_size,
    first_stages,
    head_prefixes,
    input_settings,
)
from osprey.models.transfer import build_from_run
from osprey.models.weights import build_pretrained
from osprey.tasks.classification.predictor import Predictor

BACKBONE = "test_resnet"
WIDER = "resnet10t"
SMALL: dict[str, dict[str, Any]] = {
    "fcos": {"width": 32, "levels": 3, "convs": 1},
    "retinanet": {"width": 32, "levels": 3, "convs": 1, "anchor_scale": 3.0},
    "fasterrcnn": {"width": 32, "levels": 3, "anchor_scale": 3.0},
    "ssdlite": {"width": 32, "levels": 3},
}


def spec_of(name: str, **options: Any) -> ModelSpec:
    return ModelSpec("detector", name, {"backbone": BACKBONE, **SMALL[name], **options})


def small(name: str, classes: int = 2, **options: Any) -> Detector:
    torch.manual_seed(0)
    detector = build(spec_of(name, **options), classes)
    assert isinstance(detector, Detector)
    return detector


def target(*boxes: tuple[float, float, float, float, int]) -> Target:
    return Target(
        boxes=torch.tensor([box[:4] for box in boxes], dtype=torch.float32).view(-1, 4),
        labels=torch.tensor([box[4] for box in boxes], dtype=torch.int64),
    )


def scene() -> tuple[Tensor, Target]:
    """One photo, 64 px: a bright square of class 0, a dark one of class 1."""
    photo = torch.zeros(1, 3, 64, 64)
    photo[..., 6:30, 4:28] = 2.0
    photo[..., 36:60, 34:58] = -2.0
    return photo, target((4, 6, 28, 30, 0), (34, 36, 58, 60, 1))


def settled(model: nn.Module) -> nn.Module:
    """BatchNorm's statistics and scales as training leaves them."""
    torch.manual_seed(1)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            assert module.running_mean is not None and module.running_var is not None
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 2)
            nn.init.uniform_(module.weight, 0.5, 1.5)
    return model


# ---------------------------------------------------------------- learning


@pytest.mark.parametrize("name", HEADS)
def test_it_learns_one_photo_and_names_its_classes_from_0(name: str) -> None:
    detector = small(name)
    photo, truth = scene()
    optimizer = torch.optim.AdamW(detector.parameters(), 3e-3)
    told: list[float] = []
    for _ in range(30):
        optimizer.zero_grad()
        loss = torch.stack(list(detector.losses(photo, [truth]).values())).sum()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        told.append(float(loss.detach()))
    assert all(torch.isfinite(torch.tensor(told)))
    assert told[-1] < told[0] / 2
    # Still in training mode: BatchNorm's running statistics lag behind those of one photo.
    with torch.no_grad():
        found = detector(photo)[0]
    assert found["boxes"].dtype == torch.float32 and found["labels"].dtype == torch.int64
    assert (found["scores"][1:] <= found["scores"][:-1]).all()
    for box, label in zip(truth["boxes"], truth["labels"], strict=True):
        best = next(i for i, one in enumerate(found["labels"]) if one == label)
        torch.testing.assert_close(found["boxes"][best], box, atol=7, rtol=0)


@pytest.mark.parametrize("name", HEADS)
def test_photos_without_boxes_are_learnt_from(name: str) -> None:
    detector = small(name, classes=1)
    photos = torch.randn(2, 3, 64, 64)
    for targets in (
        [target(), target()],
        [target(), target((8, 8, 40, 40, 0), (5, 5, 5, 30, 0))],  # one without area
    ):
        detector.zero_grad()
        losses = detector.losses(photos, targets)
        loss = torch.stack(list(losses.values())).sum()
        assert torch.isfinite(loss) and loss > 0
        loss.backward()  # type: ignore[no-untyped-call]
        assert all(p.grad is None or torch.isfinite(p.grad).all() for p in detector.parameters())
        assert any(p.grad is not None and p.grad.abs().sum() > 0 for p in detector.parameters())


def test_limits_hold() -> None:
    detector = small("fcos", max_detections=3, score_threshold=0.0, nms_iou=1.0).eval()
    found = detector(torch.randn(2, 3, 64, 64))
    assert [len(one["scores"]) for one in found] == [3, 3]
    assert all(
        len(one["scores"]) == 0
        for one in small("fcos", score_threshold=1.0).eval()(torch.randn(1, 3, 64, 64))
    )


@pytest.mark.parametrize("name", HEADS)
def test_half_precision_leaves_boxes_whole(name: str) -> None:
    detector, (photo, truth) = small(name).eval(), scene()
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        found = detector(torch.randn(1, 3, 64, 64))[0]
        losses = detector.losses(photo, [truth])
    assert found["boxes"].dtype == found["scores"].dtype == torch.float32
    assert {value.dtype for value in losses.values()} == {torch.float32}


# ---------------------------------------------------------------- parts at rest


@pytest.mark.parametrize("name", HEADS)
def test_parts(name: str) -> None:
    detector = small(name)
    heads = head_prefixes(detector)
    names = [key for key, _ in detector.named_parameters()]
    body = [key for key in names if not key.startswith(heads)]
    assert body and all(key.startswith(f"{detector.body_name}.") for key in body)
    before: set[str] = set()
    for count in range(1, 5):
        stages = first_stages(detector, count)
        assert before < stages <= set(body)
        before = stages
    with pytest.raises(ConfigError, match="this model has 6 stages, head included"):
        first_stages(detector, 6)


@pytest.mark.parametrize("name", WHOLE)
def test_torchvision_s_own(name: str) -> None:
    spec = ModelSpec("detector", name, {})
    settings = input_settings(spec)
    assert settings.size == (320 if name == "ssdlite" else 640)
    check_size(spec, 3, 64)
    with torch.device("meta"):
        detector = build(spec, 3)
    heads = head_prefixes(detector)
    own = {key for key, _ in detector.named_parameters()}
    assert first_stages(detector, 2) < {key for key in own if not key.startswith(heads)}
    assert all(p.requires_grad for p in detector.parameters())
    assert isinstance(detector, Detector)
    classes = {key for key in own if key.startswith(detector.class_layers)}
    with torch.device("meta"):
        other = build(spec, 4).state_dict()
    differing = {k for k, v in detector.state_dict().items() if v.shape != other[k].shape}
    assert classes == differing


@pytest.mark.parametrize("name", HEADS)
def test_folded_it_finds_the_same(name: str) -> None:
    plain = settled(small(name)).eval()
    folded = copy.deepcopy(plain)
    assert fold_batchnorm(folded) >= 15
    twin = AveragedModel(folded).eval()
    photos = torch.randn(2, 3, 96, 96)
    with torch.no_grad():
        torch.testing.assert_close(twin.module.raw(photos), plain.raw(photos), atol=1e-4, rtol=1e-4)  # type: ignore[operator]
        for one, other in zip(plain(photos), twin(photos), strict=True):
            torch.testing.assert_close(one["boxes"][:5], other["boxes"][:5], atol=0.01, rtol=1e-4)
    assert list(folded.state_dict()) == list(plain.state_dict())


# ---------------------------------------------------------------- on disk


PREPROCESS = {"size": 64, "resize": "squash", "mean": [0.5] * 3, "std": [0.5] * 3, "crop_pct": 1.0}


def saved(name: str, classes: list[str], folder: Path) -> tuple[Path, Detector]:
    detector = small(name, len(classes))
    state = {f"model.{key}": value for key, value in detector.state_dict().items()}
    metadata = CheckpointMetadata("detection", spec_of(name), classes, PREPROCESS)
    write_checkpoint({"state_dict": state, METADATA_KEY: metadata.to_dict()}, folder / "best.ckpt")
    return folder / "best.ckpt", detector.eval()


@pytest.mark.parametrize("name", HEADS)
def test_a_checkpoint_answers_as_before(name: str, tmp_path: Path) -> None:
    path, before = saved(name, ["fish"], tmp_path)
    after, metadata = load_model(path)
    assert metadata.classes == ["fish"]
    photo = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        one, other = before(photo)[0], after(photo)[0]
    torch.testing.assert_close(one["scores"], other["scores"], atol=1e-4, rtol=1e-3)


def test_one_class_is_too_few_to_classify(tmp_path: Path) -> None:
    path, _ = saved("fcos", ["fish"], tmp_path)
    content = torch.load(path, weights_only=True)
    content[METADATA_KEY]["task"] = "classification"
    torch.save(content, path)
    with pytest.raises(CheckpointError, match="has too few classes for task=classification"):
        Predictor(path)


@pytest.mark.parametrize("name", HEADS)
def test_a_class_keeps_what_was_learnt_of_it(name: str, tmp_path: Path) -> None:
    path, donor = saved(name, ["ant", "bee"], tmp_path)
    same, line = build_from_run(spec_of(name), ["ant", "bee"], path)
    assert line.endswith(", head included")
    torch.testing.assert_close(same.state_dict(), donor.state_dict())
    new, line = build_from_run(spec_of(name), ["bee", "cow", "dog"], path)
    assert line.endswith("; head kept for bee; begun anew for cow, dog; dropped for ant")
    photo = torch.randn(1, 3, 64, 64)
    assert isinstance(new, Detector)
    key = next(k for k in new.state_dict() if k.startswith(new.class_layers))
    mine = new.by_class(key, new.state_dict()[key], 3)[:, -3]
    assert torch.equal(mine, donor.by_class(key, donor.state_dict()[key], 2)[:, -1])
    assert new.eval()(photo)


@pytest.mark.parametrize("name", HEADS)
def test_a_checkpoint_is_a_file_of_weights(name: str, tmp_path: Path) -> None:
    """``model.pretrained=best.ckpt``: the whole detector but for the layers that name classes."""
    path, donor = saved(name, ["ant", "bee"], tmp_path)
    new, line = build_pretrained(spec_of(name), 3, str(path))
    assert line.startswith(f"weights: {path} (head left out: ")
    assert isinstance(new, Detector)
    theirs = donor.state_dict()
    for key, value in new.state_dict().items():
        if not key.startswith(new.class_layers):
            assert torch.equal(value, theirs[key]), key
    other = ModelSpec("detector", name, {**spec_of(name).options, "backbone": WIDER})
    with pytest.raises(CheckpointError, match=r"does not fit this model: keys \d+ (of|missing)"):
        build_pretrained(other, 3, str(path))


# ---------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("fcs", {}, "unknown detector 'fcs'; did you mean 'fcos'?"),
        (
            "fasterrcnn",
            {},
            "unknown detector 'fasterrcnn': it needs model.backbone=NAME; without, there are "
            "fasterrcnn_mobilenet, fasterrcnn_resnet50, retinanet, fcos, ssdlite, rtdetr, dfine",
        ),
        (
            "fasterrcnn_mobilenet",
            {"backbone": "resnet18"},
            "unknown detector 'fasterrcnn_mobilenet': it has a backbone of its own; "
            "model.backbone goes with fcos, retinanet, fasterrcnn, ssdlite",
        ),
        ("fcos", {"width": 64}, "model.options: 'width' needs model.backbone=NAME"),
        ("fcos", {"pad_type": "same"}, "model.options: 'pad_type' needs model.backbone=NAME"),
        (
            "fcos",
            {"backbone": BACKBONE, "widht": 64},
            "model.options: 'widht' cannot be set; did you mean 'width'?",
        ),
        (
            "fcos",
            {"backbone": BACKBONE, "width": 48},
            "model.options: 'width' must be a multiple of 32",
        ),
        (
            "fcos",
            {"backbone": BACKBONE, "levels": 9},
            "model.options: 'levels': 9 is out of range (3 to 5)",
        ),
        (
            "fcos",
            {"backbone": BACKBONE, "convs": 1.5},
            "model.options: 'convs' must be a whole number",
        ),
        (
            "fcos",
            {"backbone": BACKBONE, "nms_iou": "much"},
            "model.options: 'nms_iou' must be a number",
        ),
        (
            "fcos",
            {"backbone": BACKBONE, "pretrained": True},
            "model.options: 'pretrained' cannot be set",
        ),
        (
            "fcos",
            {"backbone": "vit_small_patch16_224"},
            "model.backbone: 'vit_small_patch16_224' has no feature maps of strides 8, 16 and 32: "
            "take one that narrows in stages, such as resnet50",
        ),
        ("fcos", {"backbone": "resnet81"}, "unknown model 'resnet81'; did you mean 'resnet18'?"),
        (
            "fcos",
            {"backbone": "hf-hub:x/y"},
            "unknown model 'hf-hub:x/y'; 'osprey models PATTERN' lists them",
        ),
        ("fcos", {"backbone": 3}, "model.backbone must be the name of a timm model"),
    ],
)
def test_refusals(name: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught, torch.device("meta"):
        build(ModelSpec("detector", name, options), 2)
    assert str(caught.value) == message


def test_sizes_are_multiples_of_32() -> None:
    with pytest.raises(ConfigError) as caught:
        check_size(spec_of("fcos"), 2, 100)
    assert str(caught.value) == (
        "data.size: a detector takes multiples of 32 px, not 100: 96 or 128"
    )


def test_a_backbone_goes_with_a_detector_alone() -> None:
    assert with_backbone(ModelSpec("detector", "fcos", {}), "x").options == {"backbone": "x"}
    with pytest.raises(ConfigError, match="goes with a detector, such as model=fcos"):
        with_backbone(ModelSpec("timm", "resnet18", {}), "resnet18")
