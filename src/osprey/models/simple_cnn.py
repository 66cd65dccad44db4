"""The baseline: a small plain convolutional network, trained from scratch in a minute."""

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
    """Four stages of convolution, batch norm, ReLU and max pooling; then average and classify.

    Args:
        num_classes: Outputs.
        width: Channels of the first stage; each further stage doubles them.
        drop_rate: Dropout before the head, 0 to 1.
    """

    def __init__(self, num_classes: int, *, width: int = 24, drop_rate: float = 0.1) -> None:
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
        """Compute feature maps.

        Args:
            images: float [B, 3, H, W], normalised.

        Returns:
            float [B, 8 * width, H / 16, W / 16].
        """
        features: Tensor = self.stages(images)
        return features

    def forward_head(self, features: Tensor, pre_logits: bool = False) -> Tensor:
        """Pool and classify feature maps.

        Args:
            features: float [B, 8 * width, h, w].
            pre_logits: Return the pooled vectors, without the linear layer.

        Returns:
            Logits [B, classes], or vectors [B, 8 * width].
        """
        vectors: Tensor = self.drop(self.pool(features).flatten(1))
        return vectors if pre_logits else self.head(vectors)

    def forward(self, images: Tensor) -> Tensor:
        """Classify images.

        Args:
            images: float [B, 3, H, W], normalised.

        Returns:
            Logits [B, classes].
        """
        return self.forward_head(self.forward_features(images))

    def get_classifier(self) -> nn.Linear:
        """The last layer, by the name timm's models use for it."""
        return self.head

    def group_matcher(self, coarse: bool = False) -> dict[str, Any]:
        """Regular expressions that number the layers for layer-wise decay, as in timm."""
        return {"stem": r"^stages\.0", "blocks": r"^stages\.(\d+)"}
