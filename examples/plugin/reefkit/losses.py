"""A loss of our own."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn


class GeneralizedCrossEntropy(nn.Module):
    """A loss between cross entropy and mean absolute error, for labels that are partly wrong.

    Zhang and Sabuncu, "Generalized Cross Entropy Loss for Training Deep Neural Networks with Noisy
    Labels", 2018.

    Args:
        q: From near 0 (cross entropy) to 1 (mean absolute error).
    """

    def __init__(self, q: float = 0.7) -> None:
        super().__init__()
        if not 0 < q <= 1:
            raise ValueError(f"q must lie in (0, 1], not {q}")
        self.q = q

    def forward(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Logits [B, C] and targets, int64 [B] or float [B, C], to one loss a photo [B]."""
        if targets.ndim == 1:
            targets = F.one_hot(targets, logits.shape[1]).to(logits.dtype)
        probability = (logits.softmax(1) * targets).sum(1).clamp(min=1e-7)
        return (1 - probability**self.q) / self.q
