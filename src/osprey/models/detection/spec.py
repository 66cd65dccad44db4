"""Which detectors there are and what may be set of each, before any is built."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from osprey.errors import ConfigError, nearest
from osprey.models import timm_models
from osprey.models.spec import IMAGENET, InputSettings, ModelSpec


@dataclass(frozen=True)
class Option:
    """A numeric option: its default, its lowest and its highest value."""

    default: int | float
    low: float
    high: float


# Which of the boxes found are returned.
_LIMITS = {
    "score_threshold": Option(0.01, 0, 1),
    "nms_iou": Option(0.5, 0, 1),
    "max_detections": Option(100, 1, 1000),
}
_WIDTH = {"width": Option(128, 32, 1024)}  # channels of the pyramid
_LEVELS = {"levels": Option(5, 3, 5)}  # strides 8, 16, 32, and further ones for large objects
_CONVS = {"convs": Option(2, 1, 4)}  # layers of the head before its answer
_ANCHORS = {"anchor_scale": Option(4.0, 1, 16)}  # side of the smallest anchor over the stride

# Heads that stand on a timm backbone, by name, with what may be set of each.
HEADS: dict[str, dict[str, Option]] = {
    "fcos": _WIDTH | _LEVELS | _CONVS | _LIMITS,
    "retinanet": _WIDTH | _LEVELS | _CONVS | _ANCHORS | _LIMITS,
    "fasterrcnn": _WIDTH | {"levels": Option(4, 3, 5)} | _ANCHORS | _LIMITS,
    "ssdlite": _WIDTH | {"levels": Option(6, 3, 6)} | _LIMITS,
}
# torchvision's networks, each with its own backbone.
WHOLE = ("fasterrcnn_mobilenet", "fasterrcnn_resnet50", "retinanet", "fcos", "ssdlite")
# Those of transformers, an extra; their boxes need no suppression.
QUERIES = ("rtdetr", "dfine")


def with_backbone(spec: ModelSpec, backbone: str | None) -> ModelSpec:
    """Put a detector on a timm backbone.

    Args:
        spec: Description of the detector.
        backbone: Name of a timm model, or None.

    Returns:
        A description with the option ``backbone``; ``spec`` itself where ``backbone`` is None.

    Raises:
        ConfigError: ``backbone`` is given and ``spec`` is not a detector.
    """
    if backbone is None:
        return spec
    if spec.factory != "detector":
        raise ConfigError("model.backbone goes with a detector, such as model=fcos")
    return ModelSpec(spec.factory, spec.name, {**spec.options, "backbone": backbone})


def backbone_of(spec: ModelSpec) -> ModelSpec | None:
    """The description of a detector's timm backbone.

    Args:
        spec: Description of the detector.

    Returns:
        The backbone, its options taken from ``spec``; None for whole networks with their own.
    """
    name = spec.options.get("backbone")
    if name is None:
        return None
    options = {k: v for k, v in spec.options.items() if k in timm_models.OPTIONS}
    return ModelSpec("timm", str(name), options)


def settings_of(spec: ModelSpec) -> dict[str, Any]:
    """Every setting of a detector's head, defaults included.

    Args:
        spec: Description that `check_detector` accepts.

    Returns:
        Numbers by name, such as ``score_threshold`` (0..1) and ``max_detections``.
    """
    known = _known(spec)
    return {key: spec.options.get(key, option.default) for key, option in known.items()}


def check_detector(spec: ModelSpec) -> None:
    """Check that a detector exists, and that its options do and are in range.

    Args:
        spec: Description of the detector.

    Raises:
        ConfigError: Unknown name or option, a value of the wrong type or out of range.
    """
    backbone = spec.options.get("backbone")
    there = (*WHOLE, *QUERIES) if backbone is None else tuple(HEADS)
    if spec.name not in there:
        hint = nearest(spec.name, there) or f" (one of {', '.join(there)})"
        if spec.name in HEADS:
            hint = f": it needs model.backbone=NAME; without, there are {', '.join(there)}"
        elif spec.name in (*WHOLE, *QUERIES):
            hint = f": it has a backbone of its own; model.backbone goes with {', '.join(there)}"
        raise ConfigError(f"unknown detector '{spec.name}'{hint}")
    if backbone is not None and not isinstance(backbone, str):
        raise ConfigError("model.backbone must be the name of a timm model")
    known = _known(spec)
    for key, value in spec.options.items():
        if key in known:
            _check_number(key, value, known[key])
        elif backbone is None and (key in HEADS.get(spec.name, {}) or key in timm_models.OPTIONS):
            raise ConfigError(f"model.options: '{key}' needs model.backbone=NAME")
        elif key != "backbone" and (backbone is None or key not in timm_models.OPTIONS):
            hint = nearest(key, (*known, *timm_models.OPTIONS))
            raise ConfigError(f"model.options: '{key}' cannot be set{hint}")
        elif not isinstance(value, bool | int | float | str):
            raise ConfigError(f"model.options: '{key}' must be a number, a word, true or false")
    if settings_of(spec).get("width", 32) % 32:
        raise ConfigError("model.options: 'width' must be a multiple of 32")


def detector_input(spec: ModelSpec) -> InputSettings:
    """The input a detector is made for.

    640 px, SSDlite 320, or the backbone's own size where that is fixed; mean and std are those of
    the weights.

    Args:
        spec: Description of the detector.

    Returns:
        Side, mean and std; nothing is cropped (``crop_pct`` 1).

    Raises:
        ConfigError: timm has no model of the backbone's name.
    """
    backbone = backbone_of(spec)
    size = 320 if spec.name == "ssdlite" else 640
    if spec.name in QUERIES:
        return InputSettings(size, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0), 1.0)
    if backbone is None:
        half = (0.5, 0.5, 0.5)
        mean, std = (half, half) if spec.name == "ssdlite" else IMAGENET
        return InputSettings(size, mean, std, 1.0)
    own = timm_models.timm_input(backbone)
    size = own.size if timm_models.fixed_size(backbone.name) else size
    return InputSettings(size, own.mean, own.std, 1.0)


def _known(spec: ModelSpec) -> Mapping[str, Option]:
    if spec.name in QUERIES:
        return {key: option for key, option in _LIMITS.items() if key != "nms_iou"}
    return _LIMITS if spec.options.get("backbone") is None else HEADS[spec.name]


def _check_number(key: str, value: object, option: Option) -> None:
    whole = isinstance(option.default, int)
    kind = int if whole else (int, float)
    if isinstance(value, bool) or not isinstance(value, kind):
        word = "a whole number" if whole else "a number"
        raise ConfigError(f"model.options: '{key}' must be {word}")
    if not option.low <= value <= option.high:
        limits = f"{option.low} to {option.high}"
        raise ConfigError(f"model.options: '{key}': {value} is out of range ({limits})")
