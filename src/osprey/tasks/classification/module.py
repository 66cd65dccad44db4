"""The LightningModule of image classification."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from osprey.augmentation.mix import BatchMix
from osprey.config.schema import AugmentationConfig
from osprey.data.dataset import Batch
from osprey.models.checkpoint import CheckpointMetadata
from osprey.tasks.base import Task
from osprey.tasks.classification.losses import make_loss
from osprey.tasks.classification.metrics import scalar_metrics
from osprey.tasks.classification.settings import Settings
from osprey.tasks.classification.tta import ask
from osprey.tasks.classification.validated import ValidatedLogits
from osprey.tasks.settings import TrainingSettings


class Classification(Task):
    """Trains a network to predict the class of each photo.

    Args:
        model: Network with one output per class.
        metadata: Stored in its checkpoints.
        settings: How it is trained.
        task: Loss and further metrics.
        augmentation: Mixes of a batch.
        counts: int64 [C], training photos per class; None if the network is only tested, without a
            loss.
    """

    def __init__(
        self,
        model: nn.Module,
        metadata: CheckpointMetadata,
        settings: TrainingSettings,
        task: Settings,
        augmentation: AugmentationConfig,
        counts: NDArray[np.int64] | None,
    ) -> None:
        super().__init__(model, metadata, settings)
        num_classes, mix = len(metadata.classes), augmentation
        mixed = mix.mix_probability > 0 and (mix.mixup > 0 or mix.cutmix > 0)
        self.loss = None
        if counts is not None:
            self.loss = make_loss(task, counts, metadata.classes, soft=mixed)
        self.mix = BatchMix(
            num_classes=num_classes,
            mixup=mix.mixup,
            cutmix=mix.cutmix,
            probability=mix.mix_probability,
            erasing=mix.erasing,
        )
        self.metrics = scalar_metrics(num_classes, prefix="val/", extra=task.metrics)
        self.extra_metrics = task.metrics
        self.tta = "none"  # what `predict_step` shows of each photo
        self._answers: list[tuple[Tensor, Tensor, Tensor]] = []  # of a validation's batches

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Loss of one augmented batch.

        Args:
            batch: With ``image``, ``target`` and ``weight``.
            batch_idx: Not used.

        Returns:
            A scalar.
        """
        images, targets = self.mix(self.normalise(batch["image"]), batch["target"])
        assert self.loss is not None, "made for testing alone"
        loss: Tensor = self.loss(self.model(images), targets, batch["weight"])
        self.log_loss(loss, len(targets))
        return loss

    def example_batch(self, count: int, size: int, device: torch.device) -> Batch:
        """Fixed noise with random classes: image uint8 [count, size, size, 3], for measuring."""
        draw = torch.Generator().manual_seed(0)
        image = torch.randint(256, (count, size, size, 3), dtype=torch.uint8, generator=draw)
        return Batch(
            image=image.to(device),
            target=torch.randint(len(self.metadata.classes), (count,), generator=draw).to(device),
            weight=torch.ones(count, device=device),
            index=torch.arange(count),
        )

    def predict_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Logits of a batch.

        Args:
            batch: With ``image`` uint8 [B, S, S, 3].
            batch_idx: Not used.

        Returns:
            float32 [B, C]; with test-time augmentation [B, views, C], the original first.
        """
        logits = ask(self.model, self.normalise(batch["image"]), self.tta)
        return logits[:, 0] if self.tta == "none" else logits

    def comparable(self, answers: Tensor) -> Tensor:
        """The logits themselves, [B, C]."""
        return answers

    def validation_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Update the metrics; padding has a negative index and is left out.

        Args:
            batch: With ``image``, ``target`` and ``index``.
            batch_idx: Not used.

        Returns:
            Logits float32 [B, C].

        Raises:
            UserError: Logits are NaN or infinite.
        """
        logits: Tensor = self(batch["image"]).float()
        real = batch["index"] >= 0
        if bool(real.any()):
            if not torch.isfinite(logits[real]).all():
                raise self.not_numbers("answers about validation photos became nan or inf")
            self.metrics.update(logits.softmax(dim=1)[real], batch["target"][real])
        self._answers.append((batch["index"].cpu(), batch["target"].cpu(), logits.cpu()))
        return logits

    def on_validation_epoch_end(self) -> None:
        """Log the metrics of the whole validation split."""
        self.log_dict({name: value.float() for name, value in self.metrics.compute().items()})
        self.metrics.reset()
        answers, self._answers = self._answers, []
        self.validated = ValidatedLogits(answers)
