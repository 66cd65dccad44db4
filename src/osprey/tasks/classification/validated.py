"""A classifier's answers about the validation photos of an epoch."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np
import torch
from torch import Tensor, nn

from osprey.system.processes import in_all_processes
from osprey.tasks.bootstrap import drawn_photos
from osprey.tasks.classification.draws import DRAWN, figure_in_draws
from osprey.tasks.classification.temperature import fit_temperature
from osprey.tasks.validated import Validated

_DRAWS = 200  # a standard deviation is known to 5% by then


class ValidatedLogits(Validated):
    """The logits of all processes' photos, which are gathered when they are first asked about.

    Args:
        parts: Of each batch of this process: index int64 [B], negative where it is padding, target
            int64 [B], logits float32 [B, C]; on the CPU.
    """

    def __init__(self, parts: Sequence[tuple[Tensor, Tensor, Tensor]]) -> None:
        self._parts = list(parts)

    @cached_property
    def _known(self) -> tuple[Tensor, Tensor]:
        """Targets int64 [N] and logits float32 [N, C]; every process must ask for them."""
        every = [part for mine in in_all_processes(self._parts) for part in mine]
        every = every or [(torch.zeros(0), torch.zeros(0, dtype=torch.int64), torch.zeros(0, 1))]
        index, targets, logits = (torch.cat(tensors) for tensors in zip(*every, strict=True))
        order = index.argsort()[int((index < 0).sum()) :]
        return targets[order], logits[order]

    def standard_error(self, key: str) -> float | None:
        """See `Validated`; of ``top1``, ``macro_f1`` and ``log_loss``."""
        targets, logits = self._known
        weights = drawn_photos([], len(targets), _DRAWS)
        if key not in DRAWN or weights is None:
            return None
        given = logits.softmax(dim=1).gather(1, targets[:, None])[:, 0]
        answers, truth = logits.argmax(dim=1), targets.numpy()
        values = figure_in_draws(key, truth, answers.numpy(), given.numpy(), weights)
        return float(np.nanstd(values))

    def log_loss(self) -> float | None:
        """See `Validated`."""
        targets, logits = self._known
        temperature = fit_temperature(logits, targets)
        return float(nn.functional.cross_entropy(logits / temperature, targets))
