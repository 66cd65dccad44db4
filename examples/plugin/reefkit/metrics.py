"""A metric of our own."""

from __future__ import annotations

import torch
from torch import Tensor
from torchmetrics import Metric


class GeometricMeanRecall(Metric):
    """Geometric mean of the recalls: 0 as soon as one class is never recognised.

    Args:
        num_classes: Columns of the probabilities; Osprey fills it in from the data.
    """

    higher_is_better = True
    full_state_update = False
    hits: Tensor
    seen: Tensor

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.add_state("hits", torch.zeros(num_classes), dist_reduce_fx="sum")
        self.add_state("seen", torch.zeros(num_classes), dist_reduce_fx="sum")

    def update(self, probabilities: Tensor, targets: Tensor) -> None:
        """Count one batch: probabilities float [N, C], targets int64 [N]."""
        correct = (probabilities.argmax(1) == targets).to(self.hits.dtype)
        self.hits.index_add_(0, targets, correct)
        self.seen.index_add_(0, targets, torch.ones_like(correct))

    def compute(self) -> Tensor:
        """A number from 0 to 1, over the classes that occurred."""
        there = self.seen > 0
        return (self.hits[there] / self.seen[there]).log().mean().exp()
