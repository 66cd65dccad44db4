"""A timm backbone with a feature pyramid on top (Lin 2017)."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

from torch import Tensor, nn
from torchvision.ops.feature_pyramid_network import (
    FeaturePyramidNetwork,
    LastLevelMaxPool,
    LastLevelP6P7,
)

from osprey.errors import ConfigError
from osprey.models.spec import ModelSpec
from osprey.models.timm_models import build_timm

STRIDES = (8, 16, 32)  # of the feature maps taken from a backbone


class Maps(nn.Module):
    """A timm model without its classifier, and which of its feature maps are taken.

    Args:
        spec: What the timm model is built from.

    Raises:
        ConfigError: It has no feature maps of strides 8, 16 and 32.
    """

    def __init__(self, spec: ModelSpec) -> None:
        super().__init__()
        body: Any = build_timm(spec, 0)
        info = list(getattr(body, "feature_info", []))
        last = {stage["reduction"]: number for number, stage in enumerate(info)}
        if not set(STRIDES) <= set(last) or not hasattr(body, "forward_intermediates"):
            raise ConfigError(
                f"model.backbone: '{spec.name}' has no feature maps of strides 8, 16 and 32: "
                "take one that narrows in stages, such as resnet50"
            )
        self.indices = [last[stride] for stride in STRIDES]
        self.channels = [int(info[index]["num_chs"]) for index in self.indices]
        body.prune_intermediate_layers(self.indices, prune_norm=True, prune_head=True)
        self.body = body

    def maps(self, images: Tensor) -> list[Tensor]:
        """Extract the feature maps of strides 8, 16 and 32.

        Args:
            images: Normalised float [B, 3, S, S].

        Returns:
            Three maps [B, C, S / stride, S / stride], finest first.
        """
        found: list[Tensor] = self.body.forward_intermediates(
            images, indices=self.indices, intermediates_only=True, output_fmt="NCHW"
        )
        return found


class Pyramid(Maps):
    """Feature maps of one width, from stride 8 on.

    Args:
        spec: What the timm model is built from.
        width: Channels of each map.
        levels: How many maps: 3 to 5, each of half the resolution of the one before.
    """

    def __init__(self, spec: ModelSpec, width: int, levels: int) -> None:
        super().__init__(spec)
        further = {3: None, 4: LastLevelMaxPool(), 5: LastLevelP6P7(width, width)}
        self.out_channels = width
        self.strides = [STRIDES[0] * 2**level for level in range(levels)]
        self.fpn = FeaturePyramidNetwork(self.channels, width, extra_blocks=further[levels])

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """Feature maps by level, finest first.

        Args:
            images: Normalised float [B, 3, S, S].

        Returns:
            Maps [B, width, S / stride, S / stride], keyed ``"0"``, ``"1"``, ...; the extra ones of
            four and five levels as torchvision's FPN names them.
        """
        named = {str(number): found for number, found in enumerate(self.maps(images))}
        maps: dict[str, Tensor] = self.fpn(OrderedDict(named))
        return maps
