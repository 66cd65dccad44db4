"""A callback that collects a network's outputs for a whole split."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Generic, TypeVar, cast

import torch
from pytorch_lightning.callbacks import BasePredictionWriter
from torch import Tensor

from osprey.errors import UserError
from osprey.system.processes import in_all_processes
from osprey.tasks.base import Task

T = TypeVar("T", bound=Task)


def _refuse_not_numbers(answers: Tensor) -> None:
    lost = int((~torch.isfinite(answers.reshape(len(answers), -1))).any(dim=1).sum())
    if lost:
        raise UserError(
            f"the network's answers about {lost} of {len(answers)} photos are not numbers (nan or "
            "inf): train again with a lower optimizer.lr"
        )


class AnswerWriter(BasePredictionWriter, Generic[T]):
    """Collects what the step returns for each sample, over all processes, each sample once.

    A step of validation, test or prediction returns one answer per sample of its batch: a tensor
    [B, ...] or a list. At the end of the split every process gets all of them in ``finish``.
    """

    def __init__(self) -> None:
        super().__init__("epoch")
        self._numbers: list[int] = []
        self._answers: list[Any] = []

    def finish(self, module: T, answers: Any) -> None:
        """Use the answers; files are to be written by rank 0 only.

        Args:
            module: The module that was run.
            answers: One per sample in the manifest's order: a tensor [N, ...] on the CPU, half
                precision converted to float32, or a list.
        """
        raise NotImplementedError

    def on_validation_batch_end(
        self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, *_: Any, **__: Any
    ) -> None:
        """Keep the answers of one batch, padding left out."""
        numbers = batch["index"].tolist()
        real = [row for row, number in enumerate(numbers) if number >= 0]  # others fill it up
        self._numbers += [numbers[row] for row in real]
        if isinstance(outputs, Tensor):
            self._answers.append(outputs[real].float().cpu())
        else:
            self._answers += [outputs[row] for row in real]

    on_test_batch_end = on_validation_batch_end
    on_predict_batch_end = on_validation_batch_end

    def on_validation_epoch_end(self, trainer: Any, pl_module: Any) -> None:
        """Gather the answers of the whole split from all processes and sort them.

        Raises:
            UserError: Some are NaN or infinite.
        """
        parts = in_all_processes((self._numbers, self._answers))
        self._numbers, self._answers = [], []
        numbers = [number for part, _ in parts for number in part]
        answers = [answer for _, part in parts for answer in part]
        order = sorted(range(len(numbers)), key=numbers.__getitem__)
        tensors = bool(answers) and isinstance(answers[0], Tensor)
        found = torch.cat(answers)[order] if tensors else [answers[row] for row in order]
        if isinstance(found, Tensor):
            _refuse_not_numbers(found)
        self.write_on_epoch_end(trainer, pl_module, cast(Any, found), [numbers[o] for o in order])

    on_test_epoch_end = on_validation_epoch_end
    on_predict_epoch_end = on_validation_epoch_end

    def write_on_epoch_end(
        self, trainer: Any, pl_module: Any, predictions: Any, batch_indices: Sequence[Any]
    ) -> None:
        """Lightning's name for ``finish``."""
        self.finish(pl_module, predictions)
