"""torchvision's own detectors, backbone included, as they were trained on COCO."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torchvision.models import detection, get_model_weights
from torchvision.models.detection.fcos import FCOS
from torchvision.models.detection.ssd import SSD

from osprey.models.detection.detector import Detector
from osprey.models.detection.fcos_head import EvenFCOSHead
from osprey.models.detection.heads import PREDICTOR
from osprey.models.detection.ssdlite import PatientSSD, class_layers

_RESNET = {"stem": r"^(?:conv1|bn1)\.", "blocks": r"^layer(\d+)\."}
_CLASSES = ("head.classification_head.cls_logits",)

# Name in torchvision; body, layers that depend on the classes, stages, and whether there is a
# background class.
_BUILT: dict[str, tuple[str, str, Sequence[str], dict[str, Any], bool]] = {
    "fcos": ("fcos_resnet50_fpn", "backbone.body", _CLASSES, _RESNET, False),
    "retinanet": ("retinanet_resnet50_fpn_v2", "backbone.body", _CLASSES, _RESNET, False),
    "fasterrcnn_mobilenet": (
        *("fasterrcnn_mobilenet_v3_large_fpn", "backbone.body"),
        *(PREDICTOR, {"blocks": r"^(\d+)\."}, True),
    ),
    "fasterrcnn_resnet50": (
        *("fasterrcnn_resnet50_fpn_v2", "backbone.body"),
        *(PREDICTOR, _RESNET, True),
    ),
    "ssdlite": (
        *("ssdlite320_mobilenet_v3_large", "backbone.features"),
        *(class_layers(6), {"blocks": r"^(\d+)\.(\d+)\."}, True),
    ),
}


def coco_network(name: str) -> Any:
    """The untrained torchvision network with as many outputs as COCO has classes."""
    return _built(name, None)


def coco_classes(name: str) -> list[str]:
    """Names of the classes of torchvision's COCO weights, in the order of `Detector` outputs."""
    weights: Any = get_model_weights(_BUILT[name][0]).DEFAULT
    background = _BUILT[name][-1]
    names: list[str] = weights.meta["categories"][int(background) :]
    return names


def torchvision_detector(name: str, num_classes: int) -> Detector:
    """Build one of torchvision's own detectors, untrained; nothing is downloaded.

    Args:
        name: A key of the table above, such as ``fasterrcnn_resnet50``.
        num_classes: Number of classes, without background.

    Returns:
        The detector.
    """
    _, body, classes, stages, background = _BUILT[name]
    network = _built(name, num_classes + background)
    if isinstance(network, SSD):
        network.__class__ = PatientSSD  # the same parts, another loss
    if isinstance(network, FCOS):
        network.head.__class__ = EvenFCOSHead
    return Detector(network, body, classes, background=background, stages=stages)


def coco_weights(name: str) -> dict[str, Any]:
    """State dict of the COCO weights, downloaded by torchvision unless it is in its cache."""
    weights: Any = get_model_weights(_BUILT[name][0]).DEFAULT
    state: dict[str, Any] = weights.get_state_dict(
        progress=False, check_hash=True, weights_only=True
    )
    return state


def _built(name: str, num_classes: int | None) -> Any:
    builder = getattr(detection, _BUILT[name][0])
    return builder(weights=None, weights_backbone=None, num_classes=num_classes)
