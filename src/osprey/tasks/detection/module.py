"""The LightningModule of object detection."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from osprey.augmentation.rescale import rescale
from osprey.imaging import Preprocess
from osprey.imaging.boxes import Detections
from osprey.models.checkpoint import CheckpointMetadata
from osprey.system.processes import in_all_processes
from osprey.tasks.base import Task
from osprey.tasks.detection.coco import coco_metrics
from osprey.tasks.detection.difficult import counted_only, difficult_in
from osprey.tasks.detection.placing import on_photos
from osprey.tasks.detection.validated import ValidatedBoxes
from osprey.tasks.settings import TrainingSettings


class Detection(Task):
    """Trains a network to detect objects and their classes.

    Args:
        model: A network of ``osprey.models.detection``.
        metadata: Stored in its checkpoints.
        settings: How it is trained.
        multi_scale: A batch is rescaled by up to this share, 0 to 0.5.
    """

    def __init__(
        self,
        model: nn.Module,
        metadata: CheckpointMetadata,
        settings: TrainingSettings,
        multi_scale: float = 0.0,
    ) -> None:
        super().__init__(model, metadata, settings)
        self.multi_scale = multi_scale
        self.preprocess = Preprocess.from_dict(metadata.preprocess)
        # By number, since padding and processes may bring photos twice or out of order.
        self.seen: dict[int, tuple[Detections, Detections]] = {}

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        """Loss of one augmented batch.

        Args:
            batch: A `BoxBatch`.
            batch_idx: Not used.

        Returns:
            The sum of the network's own losses, a scalar.
        """
        images, placed = rescale(self.normalise(batch["image"]), batch["boxes"], self.multi_scale)
        targets = [
            {"boxes": boxes, "labels": labels}
            for boxes, labels in zip(placed, batch["labels"], strict=True)
        ]
        losses = self.model.losses(images, targets)  # type: ignore[operator]
        loss: Tensor = torch.stack(list(losses.values())).sum()
        self.log_loss(loss, len(targets))
        return loss

    def example_batch(self, count: int, size: int, device: torch.device) -> Any:
        """Fixed noise with ten boxes per photo, to measure with: uint8 [count, size, size, 3]."""
        draw = torch.Generator().manual_seed(0)
        image = torch.randint(256, (count, size, size, 3), dtype=torch.uint8, generator=draw)
        low = torch.rand(count, 10, 2, generator=draw) * 0.7 * size
        sides = (0.1 + 0.2 * torch.rand(count, 10, 2, generator=draw)) * size
        labels = torch.randint(len(self.metadata.classes), (count, 10), generator=draw)
        return {
            "image": image.to(device),
            "boxes": list(torch.cat([low, low + sides], dim=2).to(device)),
            "labels": list(labels.to(device)),
            "size": torch.full((count, 2), size),
            "weight": torch.ones(count, device=device),
            "index": torch.arange(count),
        }

    def predict_step(self, batch: Any, batch_idx: int) -> list[Detections]:
        """Detect objects.

        Args:
            batch: With ``image`` uint8 [B, S, S, 3] and ``size`` int64 [B, 2].
            batch_idx: Not used.

        Returns:
            Detections of each photo, in pixels of the photo.
        """
        return on_photos(self(batch["image"]), batch["size"], self.preprocess)

    def comparable(self, answers: list[Detections]) -> Tensor:
        """Logits of each photo's three highest scores; NaN where nothing is found.

        Args:
            answers: Detections of each photo.

        Returns:
            float32 [B, 3]; -10 for those that are not there.
        """
        rows = torch.full((len(answers), 3), -10.0)
        for row, found in zip(rows, answers, strict=True):
            scores = torch.from_numpy(found.scores[:3].copy())
            row[: len(scores)] = torch.logit(scores, eps=1e-6)
            if not len(scores):
                row[:] = torch.nan
        return rows

    def validation_step(self, batch: Any, batch_idx: int) -> Any:
        """Keep each photo's detections and true boxes for the epoch's metrics.

        Args:
            batch: A `BoxBatch`.
            batch_idx: Not used.

        Returns:
            The detections of each photo.
        """
        truth = [
            {"boxes": boxes, "labels": labels, "scores": torch.ones(len(labels))}
            for boxes, labels in zip(batch["boxes"], batch["labels"], strict=True)
        ]
        known = on_photos(truth, batch["size"], self.preprocess)
        found = self.predict_step(batch, batch_idx)
        for number, *pair in zip(batch["index"].tolist(), known, found, strict=True):
            if number >= 0:
                self.seen[number] = (pair[0], pair[1])
        return found

    def _counted(
        self, seen: list[tuple[int, Detections, Detections]]
    ) -> list[tuple[Detections, Detections]]:
        """True boxes and detections of each photo without difficult boxes, by row of val."""
        manifest = getattr(getattr(self._trainer, "datamodule", None), "manifest", None)
        truth, found = [known for _, known, _ in seen], [answer for *_, answer in seen]
        if manifest is not None:
            hard = difficult_in(manifest.table[manifest.table["split"] == "val"])
            picked = None if hard is None else [hard[number] for number, *_ in seen]
            truth, found = counted_only(truth, found, picked)
        return list(zip(truth, found, strict=True))

    def on_validation_epoch_end(self) -> None:
        """Log COCO's metrics of the whole validation split."""
        parts = in_all_processes(self.seen)
        seen = {number: pair for part in parts for number, pair in part.items()}
        pairs = self._counted([(number, *seen[number]) for number in sorted(seen)])
        self.seen = {}
        self.validated = ValidatedBoxes(pairs)
        figures = coco_metrics(
            [t for t, _ in pairs], [f for _, f in pairs], len(self.metadata.classes)
        )
        self.log_dict({f"val/{name}": value for name, value in figures.scalars.items()})
