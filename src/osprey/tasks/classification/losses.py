"""Losses on soft targets, so that MixUp, CutMix and label smoothing fit each of them."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

_EFFECTIVE_BETA = 0.999  # Cui et al. 2019: how soon further photos of a class stop to count


def class_weights(counts: NDArray[np.int64], loss: str, kind: str) -> Tensor:
    """Weight of each class's mistakes, float32 [C], averaging 1 over the training photos.

    Args:
        counts: Training photos per class.
        loss: ``class_balanced`` weighs by the effective number of samples (Cui et al. 2019).
        kind: ``none``, ``sqrt`` or ``balanced``: by the inverse of the count, or its root.
    """
    numbers = np.maximum(counts, 1).astype(float)
    power = {"none": 0.0, "sqrt": 0.5, "balanced": 1.0}[kind]
    weights = numbers**-power
    if loss == "class_balanced":
        weights = weights * (1 - _EFFECTIVE_BETA) / (1 - _EFFECTIVE_BETA**numbers)
    weights *= counts.sum() / (weights * counts).sum()
    return torch.tensor(weights, dtype=torch.float32)


class Loss(nn.Module):
    """Cross entropy, or focal loss (Lin et al. 2017), against soft targets.

    Args:
        weights: float [C], weight of each class.
        label_smoothing: Share of the target spread evenly over all classes, 0 to 1.
        focal_gamma: How much easy samples are discounted; 0 is plain cross entropy.
    """

    weights: Tensor

    def __init__(
        self, weights: Tensor, *, label_smoothing: float = 0.0, focal_gamma: float = 0.0
    ) -> None:
        super().__init__()
        # Made anew from the data at every start, so it needs no place in checkpoints.
        self.register_buffer("weights", weights, persistent=False)
        self.label_smoothing = label_smoothing
        self.focal_gamma = focal_gamma

    def forward(self, logits: Tensor, targets: Tensor, sample_weights: Tensor) -> Tensor:
        """Mean loss of logits [B, C] against soft targets [B, C], samples weighted by [B]."""
        smooth = self.label_smoothing
        targets = targets * (1 - smooth) + smooth / targets.shape[1]
        log_p = logits.float().log_softmax(dim=1)
        if self.focal_gamma:
            targets = targets * (1 - log_p.exp()) ** self.focal_gamma
        per_sample = -(targets * self.weights * log_p).sum(dim=1)
        return (per_sample * sample_weights).mean()
