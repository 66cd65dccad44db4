"""SSDlite on any timm backbone (Liu 2016, Sandler 2018), with a loss for empty photos too."""

from __future__ import annotations

from collections import OrderedDict
from functools import partial
from typing import Any

from torch import Tensor, nn
from torchvision.models.detection.anchor_utils import DefaultBoxGenerator
from torchvision.models.detection.ssd import SSD
from torchvision.models.detection.ssdlite import SSDLiteHead
from torchvision.ops import Conv2dNormActivation

from osprey.models.detection.detector import Detector, Target
from osprey.models.detection.pyramid import Maps
from osprey.models.detection.shares import matched_places, mean_count, shared
from osprey.models.spec import ModelSpec
from osprey.system.processes import is_shared

# Sides of the boxes of each level over the photo's, from stride 8 on, and one more: those that
# SSD took for COCO at 300 px.
_SCALES = (0.07, 0.15, 0.33, 0.51, 0.69, 0.87, 1.05)
_HARDEST = 3  # negatives of an empty photo: as many as for one box in other photos

_norm = partial(nn.BatchNorm2d, eps=0.001, momentum=0.03)


class PatientSSD(SSD):  # type: ignore[misc]
    """An SSD that also learns from photos without boxes, which torchvision's ignores."""

    def compute_loss(
        self,
        targets: list[Target],
        head_outputs: dict[str, Tensor],
        anchors: list[Tensor],
        matched_idxs: list[Tensor],
    ) -> dict[str, Tensor]:
        """Torchvision's losses, plus the background loss at the hardest places of empty photos.

        Both are divided by the mean number of places over processes.

        Args:
            targets: One per image; an image may have no boxes.
            head_outputs: ``cls_logits`` [B, A, classes + 1] and ``bbox_regression`` [B, A, 4].
            anchors: Per image [A, 4], corners in pixels.
            matched_idxs: Per image int64 [A]: index of the matched box, negative for background.

        Returns:
            ``classification`` and ``bbox_regression``, scalars.
        """
        logits = head_outputs["cls_logits"]
        losses = super().compute_loss(targets, head_outputs, anchors, matched_idxs)
        losses = shared(losses, logits, matched_idxs)
        empty = [number for number, target in enumerate(targets) if not len(target["boxes"])]
        if not (empty or is_shared()):
            return losses
        counts = matched_places(matched_idxs), len(targets)
        # Every process asks, whatever its photos.
        divisor = max(mean_count(count, logits.device) for count in counts)
        if empty:
            background = -logits[empty].log_softmax(dim=-1)[..., 0]
            hardest = background.topk(min(_HARDEST, background.shape[1]), dim=1).values
            more = hardest.sum() / divisor
            losses["classification"] = losses["classification"] + more
        return losses


class Ladder(Maps):
    """A backbone's feature maps, and further ones made from the last, each at half the resolution.

    Args:
        spec: What the timm model is built from.
        width: Channels of the further maps.
        levels: How many maps in all, the first of stride 8.
    """

    def __init__(self, spec: ModelSpec, width: int, levels: int) -> None:
        super().__init__(spec)
        before = [self.channels[-1], *[width] * (levels - 4)]
        self.extra = nn.ModuleList(_step(c, width) for c in before[: levels - len(self.channels)])
        self.out_channels = self.channels + [width] * len(self.extra)

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """Feature maps by level, finest first.

        Args:
            images: Normalised float [B, 3, S, S].

        Returns:
            Maps [B, C, S / stride, S / stride], keyed ``"0"``, ``"1"``, ...
        """
        found = self.maps(images)
        for step in self.extra:
            found.append(step(found[-1]))
        return OrderedDict((str(number), values) for number, values in enumerate(found))


def _step(inputs: int, outputs: int) -> nn.Sequential:
    """Half the resolution by a depthwise convolution between two of one pixel."""
    layer = partial(Conv2dNormActivation, norm_layer=_norm, activation_layer=nn.ReLU6)
    middle = outputs // 2
    return nn.Sequential(
        layer(inputs, middle, kernel_size=1),
        layer(middle, middle, kernel_size=3, stride=2, groups=middle),
        layer(middle, outputs, kernel_size=1),
    )


def ssdlite(backbone: ModelSpec, num_classes: int, settings: dict[str, Any]) -> Detector:
    """SSDlite: six default boxes per location, one small head per level.

    Args:
        backbone: Description of the timm backbone.
        num_classes: Number of classes, without background.
        settings: ``width`` and ``levels``, as `settings_of` gives them.

    Returns:
        The untrained detector.

    Raises:
        ConfigError: The backbone has no feature maps of strides 8, 16 and 32.
    """
    levels = settings["levels"]
    ladder = Ladder(backbone, settings["width"], levels)
    boxes = DefaultBoxGenerator([[2, 3]] * levels, scales=list(_SCALES[: levels + 1]))
    head = SSDLiteHead(
        ladder.out_channels, boxes.num_anchors_per_location(), num_classes + 1, _norm
    )
    # The size is for the resizing that a Detector takes out: nothing else reads it.
    network = PatientSSD(ladder, boxes, (320, 320), num_classes + 1, head=head)
    return Detector(network, "backbone.body", class_layers(levels), background=True)


def class_layers(levels: int) -> list[str]:
    """Names of the layers that have outputs for each class, one per level."""
    return [f"head.classification_head.module_list.{level}.1" for level in range(levels)]
