"""torchvision's heads on the feature pyramid of a timm backbone."""

from __future__ import annotations

from functools import partial
from typing import Any

from torch import nn
from torchvision.models.detection import FCOS, FasterRCNN, RetinaNet
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.faster_rcnn import FastRCNNPredictor, TwoMLPHead
from torchvision.models.detection.retinanet import RetinaNetHead
from torchvision.models.detection.rpn import RPNHead
from torchvision.ops import MultiScaleRoIAlign

from osprey.models.detection.detector import Detector
from osprey.models.detection.fcos_head import EvenFCOSHead
from osprey.models.detection.pyramid import STRIDES, Pyramid
from osprey.models.spec import ModelSpec

PREDICTOR = ("roi_heads.box_predictor.cls_score", "roi_heads.box_predictor.bbox_pred")
_RATIOS = (0.5, 1.0, 2.0)  # height over width of anchors


def fcos(backbone: ModelSpec, num_classes: int, settings: dict[str, Any]) -> Detector:
    """FCOS: one point per location, no anchors (Tian et al. 2019).

    Args:
        backbone: Description of the timm backbone.
        num_classes: Number of classes, without background.
        settings: ``width``, ``levels`` and ``convs``, as `settings_of` gives them.

    Returns:
        The untrained detector.

    Raises:
        ConfigError: The backbone has no feature maps of strides 8, 16 and 32.
    """
    pyramid = Pyramid(backbone, settings["width"], settings["levels"])
    points = AnchorGenerator(
        tuple((stride,) for stride in pyramid.strides), ((1.0,),) * len(pyramid.strides)
    )
    head = EvenFCOSHead(pyramid.out_channels, 1, num_classes, settings["convs"])
    network = FCOS(pyramid, num_classes, anchor_generator=points, head=head)
    return Detector(network, "backbone.body", ["head.classification_head.cls_logits"])


def retinanet(backbone: ModelSpec, num_classes: int, settings: dict[str, Any]) -> Detector:
    """RetinaNet: nine anchors per location and the focal loss (Lin et al. 2017).

    Args:
        backbone: Description of the timm backbone.
        num_classes: Number of classes, without background.
        settings: ``width``, ``levels``, ``convs`` and ``anchor_scale``.

    Returns:
        The untrained detector.

    Raises:
        ConfigError: The backbone has no feature maps of strides 8, 16 and 32.
    """
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
    return Detector(network, "backbone.body", ["head.classification_head.cls_logits"])


def fasterrcnn(backbone: ModelSpec, num_classes: int, settings: dict[str, Any]) -> Detector:
    """Faster R-CNN: a region proposal network, then a second stage (Ren et al. 2015).

    Args:
        backbone: Description of the timm backbone.
        num_classes: Number of classes, without background.
        settings: ``width``, ``levels`` and ``anchor_scale``.

    Returns:
        The untrained detector.

    Raises:
        ConfigError: The backbone has no feature maps of strides 8, 16 and 32.
    """
    width, scale = settings["width"], settings["anchor_scale"]
    pyramid = Pyramid(backbone, width, settings["levels"])
    sides = tuple((int(scale * stride), int(scale * stride * 2**0.5)) for stride in pyramid.strides)
    pool = MultiScaleRoIAlign([str(level) for level in range(len(STRIDES))], 7, 2)
    network = FasterRCNN(
        pyramid,
        rpn_anchor_generator=AnchorGenerator(sides, (_RATIOS,) * len(sides)),
        rpn_head=RPNHead(width, len(sides[0]) * len(_RATIOS)),
        box_roi_pool=pool,
        box_head=TwoMLPHead(width * pool.output_size[0] ** 2, 4 * width),
        box_predictor=FastRCNNPredictor(4 * width, num_classes + 1),
        # A quarter of torchvision's: the second look is most of the time on a CPU.
        box_batch_size_per_image=128,
        rpn_post_nms_top_n_train=500,
        rpn_post_nms_top_n_test=250,
    )
    return Detector(network, "backbone.body", PREDICTOR, background=True)
