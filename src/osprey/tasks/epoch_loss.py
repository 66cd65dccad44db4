"""The mean training loss of a whole epoch, also where the run was stopped in the middle of it."""

from __future__ import annotations

from typing import Any

from torch import Tensor
from torchmetrics import MeanMetric

from osprey.tasks.processes import in_all_processes, rank

KEY = "epoch_loss"  # in checkpoints written within an epoch: sum and number of photos so far


class EpochLoss(MeanMetric):
    """Mean over the photos of an epoch; checkpoints carry what the first part of it summed up."""

    def __init__(self) -> None:
        super().__init__(nan_strategy="disable")  # one that is nan must show
        self._before: tuple[float, float] | None = None

    def add(self, loss: Tensor, count: int) -> None:
        """Take up a batch.

        Args:
            loss: Its mean loss.
            count: Photos in it, of this process.
        """
        if self._before is not None:  # Lightning resets metrics when an epoch is taken up again
            total, photos = self._before
            self._before = None
            if photos:
                self.update(total / photos, weight=photos)
        self.update(loss, weight=count)

    def save(self, checkpoint: dict[str, Any]) -> None:
        """Write what all processes have summed up so far into a checkpoint."""
        mine = (float(self.mean_value), float(self.weight))
        parts = in_all_processes(mine)
        checkpoint[KEY] = [sum(total for total, _ in parts), sum(n for _, n in parts)]

    def load(self, checkpoint: dict[str, Any]) -> None:
        """Go on from a checkpoint; of several processes the first one carries the sum."""
        found = checkpoint.get(KEY)
        if found is not None and rank() == 0:
            self._before = (float(found[0]), float(found[1]))
