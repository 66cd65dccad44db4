"""Stops a training whose network gives the same answer whatever it is shown."""

from __future__ import annotations

from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback
from torch import Tensor

from osprey.errors import UserError
from osprey.tasks.base import Task

_FEWEST = 8  # photos with an answer; fewer may be alike by chance
_SHARE = 0.95  # of them have to agree
_NOISE = 4  # images that show nothing
# Of logits, which are apart by 1 and more in networks that learn, and by 0.0004 in one that does
# not; relative to their size, since float16 has three digits.
_TOLERANCE = 0.01
# BatchNorm's statistics lag behind in the first steps, and answers are alike in sound runs too.
_STEPS, _HIGH = 200, 0.01
_IN_A_ROW = 2  # validations: the first steps of a warm-up move nothing


class LooksAtPhotos(Callback):
    """Compares the answers about the photos of each validation with each other and with noise.

    A high rate can drive a network's activations to where no photo makes a difference. Its loss is
    finite, and by its metrics it may pass for a modest one: of photos with one large subject, a box
    that is always the same gets most of them.

    Attributes:
        same: Whether the last validation found one answer for all.
    """

    def __init__(self) -> None:
        self.same = False
        self._in_a_row = 0
        self._seen: list[Tensor] = []

    def on_validation_batch_end(
        self, trainer: pl.Trainer, pl_module: Any, outputs: Any, batch: Any, *_: Any, **__: Any
    ) -> None:
        """Keep what answers are compared by, padding left out."""
        answers = pl_module.comparable(outputs) if isinstance(pl_module, Task) else None
        if answers is not None:
            self._seen.append(answers.float().cpu()[(batch["index"] >= 0).cpu()])

    def on_validation_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Compare; of several processes all must find the same."""
        if not isinstance(pl_module, Task):
            return
        seen, self._seen = self._seen, []
        same = agree(torch.cat(seen)) if seen else False
        if same:
            same = agree(torch.cat([*seen, _about_noise(trainer, pl_module)]), whole=True)
        self.same = bool(trainer.strategy.reduce_boolean_decision(same, all=True))
        self._in_a_row = self._in_a_row + 1 if self.same else 0

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Stop at the second such validation.

        Raises:
            UserError: The network gives every photo the same answer.
        """
        if self._in_a_row >= _IN_A_ROW and isinstance(pl_module, Task):
            rate = pl_module.settings.optimizer.lr
            if trainer.global_step < _STEPS and rate < _HIGH:
                return  # the epoch's line says it
            held = pl_module.settings.freeze_batchnorm
            more = " or let BatchNorm follow with model.freeze_batchnorm=false" if held else ""
            kept: Any = trainer.checkpoint_callback
            best = f"; the best epoch before is kept in '{kept.best}'" if kept.any_sound else ""
            raise UserError(
                f"the network gives every photo the same answer, by epoch {trainer.current_epoch} "
                f"and still by epoch {trainer.current_epoch + 1}: lower optimizer.lr (it is "
                f"{rate:g}){more}{best}"
            )

    def state_dict(self) -> dict[str, Any]:
        """How many validations in a row, for a resumed run."""
        return {"in_a_row": self._in_a_row}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on counting."""
        self._in_a_row = int(state_dict["in_a_row"])


def agree(answers: Tensor, *, whole: bool = False) -> bool:
    """Whether answers are alike.

    Args:
        answers: float [N, D]; a row with NaN is none, such as of a detector that found nothing.
        whole: The last `_NOISE` rows, too, must agree, each of them.

    Returns:
        False where fewer than 8, or fewer than half, are answers.
    """
    known = answers[~answers.isnan().any(dim=1)]
    if len(known) < max(_FEWEST, len(answers) / 2):
        return False
    middle = known.median(dim=0).values
    near = ((known - middle).abs() <= _TOLERANCE * (1 + middle.abs())).all(dim=1)
    if whole and (answers[-_NOISE:].isnan().any() or not near[-_NOISE:].all()):
        return False
    return bool(near.float().mean() >= _SHARE)


def _about_noise(trainer: pl.Trainer, module: Task) -> Tensor:
    """What the network answers about images that show nothing."""
    size = module.metadata.preprocess["size"]
    noise = module.example_batch(_NOISE, size, module.device)
    with torch.no_grad(), trainer.precision_plugin.val_step_context():
        answers = module.comparable(module.predict_step(noise, 0))
    assert answers is not None, "those about photos are compared"
    return answers.float().cpu()
