"""torchvision's heads on the feature pyramid of a timm backbone."""

from __future__ import annotations

from functools import partial
from typing import Any

from torch import nn
from torchvision.models.detection import FCOS, RetinaNet
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.fcos import FCOSHead
from torchvision.models.detection.retinanet import RetinaNetHead

from osprey.models.detection.detector import Detector
from osprey.models.detection.pyramid import Pyramid
from osprey.models.spec import ModelSpec

_RATIOS = (0.5, 1.0, 2.0)  # height over width of anchors


def fcos(backbone: ModelSpec, num_classes: int, settings: dict[str, Any]) -> Detector:
    """One point a place, no anchors (Tian 2019)."""
    pyramid = Pyramid(backbone, settings["width"], settings["levels"])
    points = AnchorGenerator(
        tuple((stride,) for stride in pyramid.strides), ((1.0,),) * len(pyramid.strides)
    )
    head = FCOSHead(pyramid.out_channels, 1, num_classes, settings["convs"])
    network = FCOS(pyramid, num_classes, anchor_generator=points, head=head)
    return Detector(network, "backbone.body", "head.classification_head.cls_logits")


def retinanet(backbone: ModelSpec, num_classes: int, settings: dict[str, Any]) -> Detector:
    """Nine anchors a place and the focal loss (Lin 2017)."""
    pyramid = Pyramid(backbone, settings["width"], settings["levels"])
    sides = tuple(
        tuple(int(settings["anchor_scale"] * stride * 2 ** (third / 3)) for third in range(3))
        for stride in pyramid.strides
    )
    anchors = AnchorGenerator(sides, (_RATIOS,) * len(sides))
    norm = partial(nn.GroupNorm, 32)
    head = RetinaNetHead(pyramid.out_channels, 3 * len(_RATIOS), num_classes, norm_layer=norm)
    for branch in (head.classification_head, head.regression_head):
        branch.conv = branch.conv[: settings["convs"]]
    network = RetinaNet(pyramid, num_classes, anchor_generator=anchors, head=head)
    return Detector(network, "backbone.body", "head.classification_head.cls_logits")
