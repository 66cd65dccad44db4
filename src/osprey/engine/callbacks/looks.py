"""Stops a training whose network gives the same answer whatever it is shown."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback
from torch import Tensor
from torch.nn.modules.batchnorm import _BatchNorm

from osprey.errors import UserError
from osprey.system.processes import in_all_processes, is_shared
from osprey.tasks.base import Task

_FEWEST = 8  # photos with an answer; fewer may be alike by chance
_SENT = 1000  # answers of a process to the others: of as many classes, 4 MB
_SHARE = 0.95  # of them have to agree
_NOISE = 4  # images that show nothing
# Of logits, which are apart by 1 and more in networks that learn, and by 0.0004 in one that does
# not; relative to their size, since float16 has three digits.
_TOLERANCE = 0.01
_LAG = 200  # steps after which BatchNorm's statistics are those of today's weights
_IN_A_ROW = 2  # validations, of different epochs: the first steps of a warm-up move nothing


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
        self._since = 0  # the epoch of the first of them
        self._seen: list[Tensor] = []
        self._some: list[Any] = []  # of its first batches, as many in every process

    def on_validation_batch_end(
        self, trainer: pl.Trainer, pl_module: Any, outputs: Any, batch: Any, *_: Any, **__: Any
    ) -> None:
        """Keep what answers are compared by, and in the first steps some photos to ask again."""
        answers = _compared(pl_module, outputs, batch) if isinstance(pl_module, Task) else None
        if answers is None:
            return
        self._seen.append(answers)
        kept = sum(len(some["index"]) for some in self._some)
        early = trainer.global_step < _LAG
        if early and kept < _FEWEST and len(batch["index"]) > 1:  # BatchNorm compares photos
            self._some.append(batch)

    def on_validation_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Compare the answers of all processes, which ask the network together."""
        seen, self._seen = self._seen, []
        some, self._some = self._some, []
        if not isinstance(pl_module, Task) or trainer.sanity_checking:
            return

        seen = from_all_processes(seen)
        self.same = bool(seen) and agree(torch.cat(seen))
        if self.same:
            noise = from_all_processes([_answers(trainer, pl_module, _noise(pl_module))])
            self.same = agree(torch.cat([*seen, noise[0]]), whole=True)
        if self.same and trainer.global_step < _LAG:
            with of_the_batch(pl_module.moving_batchnorm()) as any_move:
                answers = [_answers(trainer, pl_module, batch) for batch in some if any_move]
            answers = from_all_processes(answers)
            self.same = agree(torch.cat(answers)) if answers else not any_move
        self._in_a_row = self._in_a_row + 1 if self.same else 0
        if self._in_a_row == 1:
            self._since = trainer.current_epoch + 1

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Stop at the second such validation, of a later epoch.

        Raises:
            UserError: The network gives every photo the same answer.
        """
        epoch = trainer.current_epoch + 1
        if self._in_a_row >= _IN_A_ROW and epoch > self._since and isinstance(pl_module, Task):
            held = pl_module.settings.freeze_batchnorm
            more = " or let BatchNorm follow with model.freeze_batchnorm=false" if held else ""
            kept: Any = trainer.checkpoint_callback
            before = f"the best epoch before is kept in '{kept.best}'"
            best = before if kept.any_sound else "no epoch of this run is worth keeping"
            raise UserError(
                f"the network gives every photo the same answer, by epoch {self._since} and still "
                f"by epoch {epoch}: lower optimizer.lr (it is "
                f"{pl_module.settings.optimizer.lr:g}){more}; {best}"
            )

    def state_dict(self) -> dict[str, Any]:
        """How many validations in a row, for a resumed run."""
        return {"in_a_row": self._in_a_row, "since": self._since}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on counting."""
        self._in_a_row = int(state_dict["in_a_row"])
        self._since = int(state_dict.get("since", 0))


def from_all_processes(answers: list[Tensor]) -> list[Tensor]:
    """The answers of each process, in the same order in all: they come to the same conclusion.

    Of many, each sends some from everywhere among its own.
    """
    if answers and is_shared():
        own = torch.cat(answers)
        answers = [own[:: -(-len(own) // _SENT) or 1]]
    return [answer for those in in_all_processes(answers) for answer in those]


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


@contextmanager
def of_the_batch(norms: Sequence[_BatchNorm]) -> Iterator[bool]:
    """Have BatchNorm use the statistics of the batch it is shown, and remember none of them.

    In the first steps its running statistics lag behind the weights, and answers by them are alike
    in sound runs too.

    Args:
        norms: The layers; they are left as they were.

    Yields:
        Whether there are any.
    """
    before = [(norm.training, norm.track_running_stats) for norm in norms]
    for norm in norms:
        norm.training, norm.track_running_stats = True, False
    try:
        yield bool(norms)
    finally:
        for norm, (training, track) in zip(norms, before, strict=True):
            norm.training, norm.track_running_stats = training, track


def _noise(module: Task) -> Any:
    """Images that show nothing."""
    return module.example_batch(_NOISE, module.metadata.preprocess["size"], module.device)


def _answers(trainer: pl.Trainer, module: Task, batch: Any) -> Tensor:
    """What the network answers about a batch."""
    with torch.no_grad(), trainer.precision_plugin.val_step_context():
        answers = _compared(module, module.predict_step(batch, 0), batch)
    assert answers is not None, "those about photos are compared"
    return answers


def _compared(module: Task, outputs: Any, batch: Any) -> Tensor | None:
    """What a batch's answers are compared by, padding left out."""
    answers = module.comparable(outputs)
    return None if answers is None else answers.float().cpu()[(batch["index"] >= 0).cpu()]
