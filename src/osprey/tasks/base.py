"""What every task shares: preprocessing on the device, freezing, averaging, optimiser."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from osprey.errors import ConfigError, UserError
from osprey.imaging import Preprocess
from osprey.models.checkpoint import METADATA_KEY, CheckpointMetadata
from osprey.models.pixels import Normalise
from osprey.models.registry import first_stages, head_prefixes
from osprey.tasks.epoch_loss import EpochLoss
from osprey.tasks.optim import (
    lightning_schedule,
    make_optimizer,
    make_scheduler,
    plain_name,
    undecayed,
)
from osprey.tasks.settings import TrainingSettings
from osprey.tasks.validated import Validated

RAW_WEIGHTS = "trained_state_dict"  # in checkpoints whose state_dict holds averaged weights


class Task(pl.LightningModule):
    """A network in training. Subclasses add their loss, metrics and steps.

    Args:
        model: The network.
        metadata: Stored in its checkpoints.
        settings: How it is trained.

    Raises:
        ConfigError: ``model.freeze`` or ``freeze_batchnorm`` needs ``get_classifier()``, or
            ``freeze_stages`` is too large.
    """

    def __init__(
        self, model: nn.Module, metadata: CheckpointMetadata, settings: TrainingSettings
    ) -> None:
        super().__init__()
        self.model = model
        self.metadata = metadata
        self.settings = settings
        self.channels_last = settings.channels_last
        preprocess = Preprocess.from_dict(metadata.preprocess)
        self.pixels = Normalise(preprocess.mean, preprocess.std)
        self.epoch_loss = EpochLoss()
        self.validated = Validated()  # what the last validation answered
        self._head = head_prefixes(model)
        self._undecayed = undecayed(model)
        self._stages = first_stages(model, settings.freeze_stages)
        self._freezes = settings.freeze not in ("none", 0)
        freezes_any = self._freezes or settings.freeze_batchnorm
        if freezes_any and not hasattr(model, "get_classifier"):
            key = "freeze" if self._freezes else "freeze_batchnorm"
            raise ConfigError(
                f"model.{key}: {type(model).__name__} has no get_classifier(), which says what its "
                "head is (as timm's models have)"
            )
        self._move_backbone(settings.freeze != "backbone")

    def forward(self, images: Tensor) -> Any:
        """Model outputs for a uint8 batch [B, S, S, 3]."""
        return self.model(self.normalise(images))

    def predict_step(self, batch: Any, batch_idx: int) -> Any:
        """One answer for each photo of a batch, a tensor [B, ...] or a list."""
        return self(batch["image"])

    def test_step(self, batch: Any, batch_idx: int) -> Any:
        """The same as `predict_step`: metrics are computed from all answers at the end."""
        return self.predict_step(batch, batch_idx)

    def comparable(self, answers: Any) -> Tensor | None:
        """What tells a network's answers about photos apart.

        Args:
            answers: Of a batch, as `validation_step` and `predict_step` return them.

        Returns:
            float [B, D] on a scale on which 0.01 is little, such as logits; a row with NaN is no
            answer. None: of this task they are not compared.
        """
        return None

    def example_batch(self, count: int, size: int, device: torch.device) -> Any:
        """A batch like a loader's, always the same: image uint8 [count, size, size, 3]."""
        raise NotImplementedError

    def normalise(self, images: Tensor) -> Tensor:
        """Normalise uint8 [B, S, S, 3] to float32 [B, 3, S, S] by the model's mean and std."""
        pixels: Tensor = self.pixels(images, channels_last=self.channels_last)
        return pixels

    def configure_optimizers(self) -> Any:
        """Optimiser and learning-rate schedule, as Lightning expects them.

        Raises:
            ConfigError: One of them cannot be built.
        """
        settings, trainer = self.settings, self.trainer
        optimizer = make_optimizer(self.model, settings.optimizer, self._undecayed)
        # Not trainer.estimated_stepping_batches: it would start the loader's workers now, before
        # the epoch and batch to start from are known from a checkpoint.
        batches, limit = cast(Any, trainer).datamodule.train_batches(), trainer.limit_train_batches
        batches = min(batches, limit) if isinstance(limit, int) else batches
        epochs = trainer.max_epochs or 0
        total = -(-batches // trainer.accumulate_grad_batches) * epochs
        scheduler = make_scheduler(optimizer, settings.scheduler, total, epochs)
        schedule = lightning_schedule(scheduler, settings.scheduler.interval, settings.monitor)
        return {"optimizer": optimizer, "lr_scheduler": schedule}

    def on_train_start(self) -> None:
        """Apply freezing: a run resumed within an epoch gets no ``on_train_epoch_start``."""
        self._apply_freezing()

    def on_train_epoch_start(self) -> None:
        """Apply freezing for this epoch."""
        self._apply_freezing()

    def _apply_freezing(self) -> None:
        self.model.train()
        if isinstance(self.settings.freeze, int):
            self._move_backbone(not self._resting)
        moving = set(self.moving_batchnorm())
        for module in self.model.modules():
            if isinstance(module, _BatchNorm) and module not in moving:
                module.eval()

    @property
    def _resting(self) -> bool:
        """Whether the backbone is frozen in this epoch."""
        frozen = self.settings.freeze
        return self.current_epoch < frozen if isinstance(frozen, int) else frozen == "backbone"

    def moving_batchnorm(self) -> list[_BatchNorm]:
        """BatchNorm layers whose statistics follow the training photos in this epoch."""
        # Statistics of small batches are worse than those the weights were trained with. A head
        # that begins with random weights has none to hold.
        everywhere = self._resting or self.settings.freeze_batchnorm
        moving = []
        for name, module in self.model.named_modules():
            name = plain_name(name)
            held = everywhere and not name.startswith(self._head)
            if isinstance(module, _BatchNorm) and not held and f"{name}.weight" not in self._stages:
                moving.append(module)
        return moving

    def _move_backbone(self, moves: bool) -> None:
        """Train or freeze the backbone; parameters that the network froze itself are left alone."""
        for name, parameter in self.model.named_parameters():
            if plain_name(name) in self._stages:
                parameter.requires_grad_(False)
            elif self._freezes and not name.startswith(self._head):
                parameter.requires_grad_(moves)

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
        """Seed dropout and batch mixes by position, so that a resumed run is reproducible."""
        place = (self.settings.seed, self.current_epoch, batch_idx, self.global_rank)
        torch.manual_seed(int(np.random.SeedSequence(place).generate_state(1)[0]))

    def log_loss(self, loss: Tensor, count: int) -> None:
        """Log the mean training loss of the whole epoch as ``train/loss``.

        Args:
            loss: Mean loss of a batch.
            count: Photos in it.
        """
        self.epoch_loss.update(loss, count)
        self.log("train/loss", self.epoch_loss, on_step=False, on_epoch=True)

    def refuse_not_numbers(self) -> None:
        """Stop after an epoch whose training loss, or in which a weight, is not finite.

        Raises:
            UserError: It is NaN or infinite.
        """
        loss = self.trainer.callback_metrics.get("train/loss")
        if loss is not None and not torch.isfinite(loss):
            raise self.not_numbers(f"the training loss became {float(loss)}")
        tensors = (*self.model.parameters(), *self.model.buffers())
        if not all(torch.isfinite(t.detach().sum()) for t in tensors if t.is_floating_point()):
            raise self.not_numbers("weights became nan or inf")

    def not_numbers(self, what: str) -> UserError:
        """The error for values that became NaN or infinite, with a remedy."""
        return UserError(
            f"{what} in epoch {self.current_epoch + 1}: "
            f"lower optimizer.lr (it is {self.settings.optimizer.lr:g}), "
            "or use trainer.precision=32-true"
        )

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Add Osprey's metadata; everything else in the file is tensors and plain data already."""
        checkpoint[METADATA_KEY] = self.metadata.to_dict()
        if not self.trainer.is_last_batch:
            self.epoch_loss.save(checkpoint)

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Convert checkpoints of older releases, which stored EMA weights as ``ema.module.*``."""
        self.epoch_loss.load(checkpoint)
        state: dict[str, Any] = checkpoint["state_dict"]
        old = "ema.module."
        if any(key.startswith(old) for key in state):
            trained = {key: v for key, v in state.items() if not key.startswith("ema.")}
            averaged = {
                f"model.{key.removeprefix(old)}": v for key, v in state.items() if old in key
            }
            checkpoint[RAW_WEIGHTS] = trained
            checkpoint["state_dict"] = {**trained, **averaged}
