"""A detector from its description."""

from __future__ import annotations

from typing import Any

from osprey.models.detection import heads
from osprey.models.detection.detector import Detector
from osprey.models.detection.spec import (
    QUERIES,
    backbone_of,
    check_detector,
    settings_of,
    with_backbone,
)
from osprey.models.detection.ssdlite import ssdlite
from osprey.models.detection.torchvision_detectors import torchvision_detector
from osprey.models.spec import ModelSpec

_HEADS = {
    "fcos": heads.fcos,
    "retinanet": heads.retinanet,
    "fasterrcnn": heads.fasterrcnn,
    "ssdlite": ssdlite,
}


def create_detector(
    name: str, num_classes: int, *, backbone: str | None = None, **options: Any
) -> Detector:
    """Build an untrained detector; nothing is downloaded.

    Args:
        name: ``fcos``, ``retinanet``, ``fasterrcnn``, ``ssdlite``, ``rtdetr``, ``dfine``, ...
        num_classes: Classes to find, without background.
        backbone: Any of timm's; None for torchvision's own.
        options: Of the head (``width``, ``levels``, ``score_threshold``, ``nms_iou``,
            ``max_detections``) and of the backbone.

    Returns:
        The detector.

    Raises:
        ConfigError: There is none of this name, or an option is unknown or out of range.
    """
    spec = with_backbone(ModelSpec("detector", name, options), backbone)
    check_detector(spec)
    return build_detector(spec, num_classes)


def build_detector(spec: ModelSpec, num_classes: int) -> Detector:
    """Build an untrained detector; nothing is downloaded.

    Args:
        spec: Description that `check_detector` accepts.
        num_classes: Number of classes, without background.

    Returns:
        The detector, its score, NMS and detection limits set from ``spec``.

    Raises:
        ConfigError: The backbone is not a timm model or lacks feature maps of strides 8, 16 and 32,
            or transformers is needed and not installed.
    """
    backbone, settings = backbone_of(spec), settings_of(spec)
    if spec.name in QUERIES:
        from osprey.models.detection.queries import query_detector

        detector = query_detector(spec.name, num_classes)
    elif backbone is None:
        detector = torchvision_detector(spec.name, num_classes)
    else:
        detector = _HEADS[spec.name](backbone, num_classes, settings)
    detector.tell(
        settings["score_threshold"], settings.get("nms_iou", 1.0), settings["max_detections"]
    )
    return detector
