"""A callback of our own."""

from __future__ import annotations

from typing import Any

import pytorch_lightning as pl
import torch


class GradientNorm(pl.Callback):
    """Logs the mean norm of the gradient, before clipping, as ``train/NAME`` once an epoch.

    Args:
        name: Of the figure in the logs.
    """

    def __init__(self, name: str = "gradient_norm") -> None:
        self.name = name

    def on_before_optimizer_step(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, optimizer: Any
    ) -> None:
        """Log the norm over all parameters that have a gradient."""
        norms = [p.grad.norm() for p in pl_module.parameters() if p.grad is not None]
        total = torch.stack(norms).norm()
        pl_module.log(f"train/{self.name}", total, on_step=False, on_epoch=True)
