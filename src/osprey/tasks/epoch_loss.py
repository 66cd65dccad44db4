"""The mean training loss of a whole epoch, also where the run was stopped in the middle of it."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torchmetrics import Metric

from osprey.system.processes import in_all_processes, rank

KEY = "epoch_loss"  # in checkpoints written within an epoch: sum and number of photos so far


class EpochLoss(Metric):
    """Mean over the photos of an epoch; checkpoints carry what the first part of it summed up.

    Not torchmetrics' MeanMetric, which drops a loss that is nan, or else the weights.
    """

    total: Tensor
    photos: Tensor

    def __init__(self) -> None:
        super().__init__()
        for name in ("total", "photos"):
            self.add_state(name, torch.zeros(()), dist_reduce_fx="sum")
        self._before: tuple[float, float] | None = None

    def update(self, loss: Tensor, count: int) -> None:
        """Take up a batch.

        Args:
            loss: Its mean loss.
            count: Photos in it, of this process.
        """
        if self._before is not None:  # Lightning resets metrics when an epoch is taken up again
            total, photos = self._before
            self._before = None
            self.total += total
            self.photos += photos
        self.total += loss.detach() * count
        self.photos += count

    def compute(self) -> Tensor:
        """The mean over all processes."""
        return self.total / self.photos

    def save(self, checkpoint: dict[str, Any]) -> None:
        """Write what all processes have summed up so far into a checkpoint."""
        mine = (float(self.total), float(self.photos))
        parts = in_all_processes(mine)
        checkpoint[KEY] = [sum(total for total, _ in parts), sum(n for _, n in parts)]

    def load(self, checkpoint: dict[str, Any]) -> None:
        """Go on from a checkpoint; of several processes the first one carries the sum."""
        found = checkpoint.get(KEY)
        if found is not None and rank() == 0:
            self._before = (float(found[0]), float(found[1]))
