"""A detector without choices, for a bundle: every place's scores and box, as two tensors."""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor, nn
from torchvision.models.detection import FCOS, RetinaNet
from torchvision.models.detection.image_list import ImageList
from torchvision.models.detection.ssd import SSD
from torchvision.ops import box_convert, clip_boxes_to_image

from osprey.errors import BundleError
from osprey.models.detection.detector import Detector

_GO_ON = "predict and eval go on with its checkpoint"


class Places(nn.Module):
    """A detector up to its thresholds: from images [B, 3, S, S] to scores and boxes.

    Attributes:
        options: How boxes are chosen from these, as `Detector.forward` does it: ``score_threshold``
            (a box scores more), ``candidates`` (most before suppression, of each level, or of each
            class where ``levels`` is None), ``levels`` (number of places on each), ``nms_iou``
            (None: nothing is suppressed) and ``max_detections``.
    """

    options: dict[str, Any]


class DensePlaces(Places):
    """FCOS, RetinaNet or SSD for images of one size.

    Args:
        network: Torchvision's.
        side: Of the images in pixels.
    """

    anchors: Tensor

    def __init__(self, network: Any, side: int) -> None:
        super().__init__()
        self.network, self.side = network, side
        images = torch.zeros(1, 3, side, side)
        with torch.no_grad():
            maps = self._maps(images)
            anchors = network.anchor_generator(ImageList(images, [(side, side)]), maps)[0]
        self.register_buffer("anchors", anchors)
        spots = [found.shape[-2] * found.shape[-1] for found in maps]
        each = len(anchors) // sum(spots)
        self.options = {
            "score_threshold": float(network.score_thresh),
            "candidates": int(network.topk_candidates),
            "levels": None if isinstance(network, SSD) else [each * count for count in spots],
            "nms_iou": float(network.nms_thresh),
            "max_detections": int(network.detections_per_img),
        }

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Scores [B, N, C], 0 to 1, and boxes [B, N, 4], corners in pixels inside the image."""
        outputs = self.network.head(self._maps(images))
        boxes = self._decoded(outputs["bbox_regression"])
        return self._scores(outputs), clip_boxes_to_image(boxes, (self.side, self.side))

    def _maps(self, images: Tensor) -> list[Tensor]:
        return list(self.network.backbone(images).values())

    def _scores(self, outputs: dict[str, Tensor]) -> Tensor:
        logits = outputs["cls_logits"]
        if isinstance(self.network, SSD):
            return logits.softmax(dim=-1)[..., 1:]  # the background comes first
        if isinstance(self.network, FCOS):
            return (logits.sigmoid() * outputs["bbox_ctrness"].sigmoid()).sqrt()
        return logits.sigmoid()

    def _decoded(self, regression: Tensor) -> Tensor:
        coder, count = self.network.box_coder, regression.shape[0]
        if isinstance(self.network, FCOS):
            return cast(Tensor, coder.decode(regression, self.anchors))
        anchors = self.anchors.expand(count, -1, -1).flatten(0, 1)
        return cast(Tensor, coder.decode_single(regression.flatten(0, 1), anchors)).view(
            count, -1, 4
        )


class QueryPlaces(Places):
    """RT-DETR or D-FINE: a place is a query.

    Args:
        network: An `osprey.models.detection.queries.QueryNetwork`.
        side: Of the images in pixels.
    """

    def __init__(self, network: Any, side: int) -> None:
        super().__init__()
        self.inner, self.side = network.inner, side
        most = int(network.detections_per_img)
        self.options = {
            "score_threshold": float(network.score_thresh),
            "candidates": most,
            "levels": [int(network.inner.config.num_queries)],
            "nms_iou": None,
            "max_detections": most,
        }

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Scores [B, N, C], 0 to 1, and boxes [B, N, 4], corners in pixels inside the image."""
        answer = self.inner(pixel_values=images)
        corners = box_convert(answer.pred_boxes, "cxcywh", "xyxy") * self.side
        return answer.logits.sigmoid(), clip_boxes_to_image(corners, (self.side, self.side))


def places_of(model: nn.Module, side: int) -> Places:
    """What a bundle of a detector computes.

    Args:
        model: The detector, in evaluation mode on the CPU.
        side: Of its input in pixels.

    Returns:
        The network without thresholds and suppression, in evaluation mode.

    Raises:
        BundleError: It has two stages, or is not Osprey's.
    """
    if not isinstance(model, Detector):
        raise BundleError(f"a detector of your own is not exported: {_GO_ON}")
    network = model.network
    if isinstance(network, FCOS | RetinaNet | SSD):
        return DensePlaces(network, side).eval()
    if hasattr(network, "roi_heads"):
        raise BundleError(
            f"a detector of two stages (Faster R-CNN) is not exported: {_GO_ON}; fcos, retinanet, "
            "ssdlite, rtdetr and dfine are"
        )
    return QueryPlaces(network, side).eval()
