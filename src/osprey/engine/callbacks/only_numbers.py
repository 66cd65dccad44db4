"""No epoch with NaN is written down, printed or saved."""

from __future__ import annotations

import pytorch_lightning as pl
from pytorch_lightning.callbacks import Callback

from osprey.tasks.base import Task


class OnlyNumbers(Callback):
    """Stops a training whose loss or weights are not finite, before others see its epoch.

    A callback of its own, because Lightning asks callbacks before the module.
    """

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Ask Osprey's own modules."""
        if isinstance(pl_module, Task):
            pl_module.refuse_not_numbers()
