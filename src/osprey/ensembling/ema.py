"""Averaged weights that follow training, for any LightningModule (Polyak & Juditsky 1992)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback
from pytorch_lightning.trainer.states import TrainerFn
from torch import Tensor

from osprey.tasks.base import RAW_WEIGHTS

State = dict[str, Tensor]


class EMA(Callback):
    """An exponential moving average of all weights and buffers (Polyak & Juditsky 1992).

    It is updated after each optimiser step, the first time as a copy. Validation uses the averaged
    weights; checkpoints hold them as ``state_dict``, and the trained ones beside them for resuming.
    Lightning's own callback once validated with weights that had never been updated (its issue
    21724): here nothing is exchanged before the first update.

    Args:
        decay: Fraction of the average that each step keeps, 0 to 1.
    """

    def __init__(self, decay: float) -> None:
        self.decay = decay
        self.average: State = {}
        self.updates = 0
        self.steps = 0
        self.exchanged = False

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Note the current optimiser step."""
        self.steps = trainer.global_step

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Update, if the batch ended with an optimiser step."""
        if trainer.global_step != self.steps:
            self.steps = trainer.global_step
            self.update(pl_module.state_dict())

    def update(self, weights: Mapping[str, Tensor]) -> None:
        """Move the average towards the current weights.

        Args:
            weights: State dict; integer tensors, such as counters, are copied.
        """
        if not self.average:
            self.average = {key: value.detach().clone() for key, value in weights.items()}
        else:
            groups: dict[Any, list[tuple[Tensor, Tensor]]] = defaultdict(list)
            for key, value in weights.items():
                self.average[key] = kept = self.average[key].to(value.device)
                if kept.is_floating_point():
                    groups[kept.device, kept.dtype].append((kept, value.detach()))
                else:
                    kept.copy_(value)
            for pairs in groups.values():
                averages, current = (list(part) for part in zip(*pairs, strict=True))
                torch._foreach_lerp_(averages, current, 1 - self.decay)
        self.updates += 1

    def on_validation_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Load the averaged weights for validation."""
        if self.updates and trainer.state.fn == TrainerFn.FITTING:
            self._exchange(pl_module)
            self.exchanged = True

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Load the trained weights again."""
        if self.exchanged:
            self._exchange(pl_module)
            self.exchanged = False

    @torch.no_grad()
    def _exchange(self, module: pl.LightningModule) -> None:
        """In place, so that memory formats and what holds the tensors stay as they are."""
        for key, value in module.state_dict().items():
            own = value.detach().clone()
            value.copy_(self.average[key])
            self.average[key].copy_(own)

    def on_save_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Store the averaged weights as ``state_dict``, the trained ones beside them."""
        if self.updates:
            trained, averaged = dict(checkpoint["state_dict"]), self.average
            if self.exchanged:
                trained, averaged = averaged, trained
            checkpoint["state_dict"] = {key: value.clone() for key, value in averaged.items()}
            checkpoint[RAW_WEIGHTS] = trained

    def on_load_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Resume from the trained weights; the module holds the averaged ones at this point."""
        if RAW_WEIGHTS in checkpoint:
            self.average = {k: v.clone() for k, v in checkpoint["state_dict"].items()}
            self.updates = max(1, self.updates)
            pl_module.load_state_dict(checkpoint[RAW_WEIGHTS])

    def state_dict(self) -> dict[str, Any]:
        """Number of updates."""
        return {"updates": self.updates}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore the number of updates."""
        self.updates = int(state_dict["updates"])


def validated_weights(trainer: pl.Trainer, module: pl.LightningModule) -> Mapping[str, Tensor]:
    """The weights used in validation.

    Args:
        trainer: With `EMA` among its callbacks or not.
        module: The module in training.

    Returns:
        The averaged state dict with `EMA`, else the module's own.
    """
    callbacks: list[Callback] = trainer.callbacks  # type: ignore[attr-defined]
    for callback in callbacks:
        if isinstance(callback, EMA) and callback.updates and not callback.exchanged:
            return callback.average
    return module.state_dict()
