"""The LightningModule of task=light: freezing, averaging and schedules come with its base."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import l1_loss, smooth_l1_loss
from torchmetrics import MeanMetric

from osprey.models.checkpoint import CheckpointMetadata
from osprey.tasks.base import Task
from osprey.tasks.settings import TrainingSettings


class LitLight(Task):
    """Learns one number a photo.

    Args:
        model: Images to one number, [B, 1].
        metadata: What its checkpoints will say of it.
        settings: How it is trained.
        truth: The numbers of each split, in the manifest's order; none where it is only tested.
    """

    def __init__(
        self,
        model: nn.Module,
        metadata: CheckpointMetadata,
        settings: TrainingSettings,
        truth: Mapping[str, Sequence[float]],
    ) -> None:
        super().__init__(model, metadata, settings)
        self.truth = {split: torch.tensor(numbers) for split, numbers in truth.items()}
        self.error = MeanMetric()

    def predict_step(self, batch: Any, batch_idx: int) -> Tensor:
        """The answers float32 [B] about a batch; testing asks for these, too."""
        return self(batch["image"])[:, 0].float()

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        """The loss of one batch; ``index`` is each photo's row in the training split."""
        answers = self.model(self.normalise(batch["image"]))[:, 0]
        loss = smooth_l1_loss(answers, self._truth("train", batch["index"]), beta=0.1)
        self.log_loss(loss, len(answers))
        return loss

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        """Collect the errors; a negative index is padding."""
        real = batch["index"] >= 0
        answers = self.predict_step(batch, batch_idx)[real]
        truth = self._truth("val", batch["index"][real])
        if len(answers):
            self.error.update(l1_loss(answers, truth, reduction="none"))

    def on_validation_epoch_end(self) -> None:
        """Publish the mean error of the whole split, over all processes."""
        self.log("val/mae", self.error.compute())
        self.error.reset()

    def example_batch(self, count: int, size: int, device: torch.device) -> Any:
        """Noise, for timing a step: image uint8 [count, size, size, 3]."""
        draw = torch.Generator().manual_seed(0)
        image = torch.randint(256, (count, size, size, 3), dtype=torch.uint8, generator=draw)
        index = torch.arange(count) % len(self.truth["train"])
        return {"image": image.to(device), "index": index.to(device)}

    def _truth(self, split: str, index: Tensor) -> Tensor:
        return self.truth[split].to(index.device)[index.clamp(min=0)].to(self.device)
