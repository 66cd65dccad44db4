"""The baseline: a small plain convolutional network, trained from nothing in a minute."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn


def _stage(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, padding=1, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(2),
    )


class SimpleCNN(nn.Module):
    """Four stages of convolution, batch norm, ReLU and pooling; then average and classify."""

    def __init__(self, num_classes: int, *, width: int = 24, drop_rate: float = 0.1) -> None:
        """Args: classes to tell apart, channels of the first stage, dropout before the head."""
        super().__init__()
        channels = [3, width, 2 * width, 4 * width, 8 * width]
        self.stages = nn.Sequential(
            *(_stage(channels[i], channels[i + 1]) for i in range(len(channels) - 1))
        )
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.drop = nn.Dropout(drop_rate)
        self.head = nn.Linear(channels[-1], num_classes)
        nn.init.zeros_(self.head.bias)

    def forward_features(self, images: Tensor) -> Tensor:
        """[B, 3, H, W] normalised images to [B, C, H/16, W/16]."""
        features: Tensor = self.stages(images)
        return features

    def forward_head(self, features: Tensor, pre_logits: bool = False) -> Tensor:
        """Feature maps to [B, C] vectors (``pre_logits``) or [B, classes] logits."""
        vectors: Tensor = self.drop(self.pool(features).flatten(1))
        return vectors if pre_logits else self.head(vectors)

    def forward(self, images: Tensor) -> Tensor:
        """[B, 3, H, W] normalised images to [B, classes] logits."""
        return self.forward_head(self.forward_features(images))

    def get_classifier(self) -> nn.Linear:
        """The last layer, by the name timm's models use for it."""
        return self.head

    def group_matcher(self, coarse: bool = False) -> dict[str, Any]:
        """How layers are numbered for layer-wise decay, as timm's models tell it."""
        return {"stem": r"^stages\.0", "blocks": r"^stages\.(\d+)"}
