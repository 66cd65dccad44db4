"""A network of our own."""

from __future__ import annotations

from torch import Tensor, nn


class ReefNet(nn.Module):
    """Depthwise-separable convolutions, small enough for a diver's tablet.

    Args:
        num_classes: Outputs; Osprey fills it in from the data.
        width: Channels of the first stage; each further stage has twice as many.
        depth: Stages after the first.
        drop_rate: Dropout before the head.
    """

    def __init__(
        self, num_classes: int, width: int = 16, depth: int = 3, drop_rate: float = 0.0
    ) -> None:
        super().__init__()
        self.stem = _stage(3, width)
        stages = [_separable(width * 2**n, width * 2 ** (n + 1)) for n in range(depth)]
        self.stages = nn.Sequential(*stages)
        self.drop = nn.Dropout(drop_rate)
        self.head = nn.Linear(width * 2**depth, num_classes)

    def get_classifier(self) -> nn.Module:
        """The layer that learns while the backbone is frozen, named as timm names it."""
        return self.head

    def forward_features(self, images: Tensor) -> Tensor:
        """Images float [B, 3, H, W] to a feature map [B, C, h, w]."""
        features: Tensor = self.stages(self.stem(images))
        return features

    def forward_head(self, features: Tensor, pre_logits: bool = False) -> Tensor:
        """A feature map to logits [B, num_classes], or to what the head sees."""
        pooled: Tensor = self.drop(features.mean((2, 3)))
        return pooled if pre_logits else self.head(pooled)

    def forward(self, images: Tensor) -> Tensor:
        """Images float [B, 3, H, W] to logits [B, num_classes]."""
        return self.forward_head(self.forward_features(images))


def _stage(inner: int, outer: int) -> nn.Sequential:
    convolution = nn.Conv2d(inner, outer, 3, 2, 1, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(outer), nn.ReLU())


def _separable(inner: int, outer: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inner, inner, 3, 2, 1, groups=inner, bias=False),
        nn.Conv2d(inner, outer, 1, bias=False),
        nn.BatchNorm2d(outer),
        nn.ReLU(),
    )
