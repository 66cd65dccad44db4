"""Losses on soft targets, so that MixUp, CutMix and label smoothing fit each of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from osprey.errors import ConfigError
from osprey.system.instantiate import instantiate
from osprey.system.targets import import_target, parameters_of
from osprey.tasks.classification.settings import Settings

_EFFECTIVE_BETA = 0.999  # Cui et al. 2019: how soon further photos of a class stop counting


def class_weights(counts: NDArray[np.int64], loss: str, kind: str | Sequence[float]) -> Tensor:
    """Weight of each class in the loss, with a mean of 1 over the training photos.

    Args:
        counts: int64 [C], training photos per class.
        loss: ``class_balanced`` weights by the effective number of samples (Cui et al. 2019).
        kind: ``none``, ``sqrt`` or ``balanced``: by the inverse of the count, or its root; or C
            weights to each other.

    Returns:
        float32 [C].
    """
    numbers = np.maximum(counts, 1).astype(float)
    if isinstance(kind, str):
        weights = numbers ** -{"none": 0.0, "sqrt": 0.5, "balanced": 1.0}[kind]
    else:
        weights = np.array(kind, dtype=float)
    if loss == "class_balanced":
        weights = weights * (1 - _EFFECTIVE_BETA) / (1 - _EFFECTIVE_BETA**numbers)
    weights *= counts.sum() / (weights * counts).sum()
    return torch.tensor(weights, dtype=torch.float32)


def make_loss(
    settings: Settings, counts: NDArray[np.int64], classes: Sequence[str], *, soft: bool
) -> Loss | ForeignLoss:
    """Build the loss that ``task.loss`` names: one of Osprey's, or a node with ``_target_``.

    Args:
        settings: Settings of the task.
        counts: int64 [C], training photos per class.
        classes: The C class names.
        soft: MixUp or CutMix is on, so that targets are soft.

    Returns:
        The loss, called with logits, soft targets and sample weights.

    Raises:
        ConfigError: It cannot be built, or does not accept a setting that was set.
    """
    loss, kind = settings.loss, settings.class_weights
    if isinstance(kind, dict):
        kind = [settings.named_weights.get(name, 1.0) for name in classes]
    if isinstance(loss, dict):
        return _foreign(settings, loss, counts, class_weights(counts, "", kind), soft=soft)
    return Loss(
        class_weights(counts, loss, kind),
        label_smoothing=settings.label_smoothing,
        focal_gamma=settings.focal_gamma if loss == "focal" else 0.0,
    )


def _foreign(
    settings: Settings,
    node: dict[str, Any],
    counts: NDArray[np.int64],
    weights: Tensor,
    *,
    soft: bool,
) -> ForeignLoss:
    takes = parameters_of(import_target("task.loss", node.get("_target_")))
    given = {
        "label_smoothing": (settings.label_smoothing, settings.label_smoothing > 0),
        "weight": (weights, settings.class_weights != "none"),
    }
    for name, (_, wanted) in given.items():
        if wanted and name not in takes:
            key = "class_weights" if name == "weight" else name
            raise ConfigError(f"task.{key}: the loss '{node['_target_']}' takes no '{name}'")
    run_time = {name: value for name, (value, wanted) in given.items() if wanted}
    made = instantiate("task.loss", node, nn.Module, {**run_time, "num_classes": len(counts)})
    return ForeignLoss(made, weights, soft=soft)


class Loss(nn.Module):
    """Cross entropy, or focal loss (Lin et al. 2017), against soft targets.

    Args:
        weights: float32 [C], weight of each class.
        label_smoothing: Fraction of the target spread evenly over all classes, 0 to 1.
        focal_gamma: Focusing parameter; 0 is plain cross entropy.
    """

    weights: Tensor

    def __init__(
        self, weights: Tensor, *, label_smoothing: float = 0.0, focal_gamma: float = 0.0
    ) -> None:
        super().__init__()
        # Recomputed from the data at every start, so it is not stored in checkpoints.
        self.register_buffer("weights", weights, persistent=False)
        self.label_smoothing = label_smoothing
        self.focal_gamma = focal_gamma

    def forward(self, logits: Tensor, targets: Tensor, sample_weights: Tensor) -> Tensor:
        """Mean loss.

        Args:
            logits: float [B, C].
            targets: float [B, C], soft or one-hot.
            sample_weights: float32 [B].

        Returns:
            A scalar.
        """
        smooth = self.label_smoothing
        targets = targets * (1 - smooth) + smooth / targets.shape[1]
        log_p = logits.float().log_softmax(dim=1)
        if self.focal_gamma:
            targets = targets * (1 - log_p.exp()) ** self.focal_gamma
        per_sample = -(targets * self.weights * log_p).sum(dim=1)
        return (per_sample * sample_weights).mean()


class ForeignLoss(nn.Module):
    """A loss of the user's own, called like torch's: with logits and targets.

    Args:
        loss: Called with logits [B, C] and int64 targets [B], or soft ones [B, C] where ``soft``;
            returns a scalar, or one number per sample.
        weights: float32 [C], class weights for the linear probe.
        soft: Whether targets are soft.
    """

    weights: Tensor

    def __init__(self, loss: nn.Module, weights: Tensor, *, soft: bool) -> None:
        super().__init__()
        self.loss = loss
        self.soft = soft
        self.register_buffer("weights", weights, persistent=False)

    def forward(self, logits: Tensor, targets: Tensor, sample_weights: Tensor) -> Tensor:
        """The loss, averaged with sample weights where it returns one number per sample.

        Args:
            logits: float [B, C].
            targets: float [B, C], soft or one-hot.
            sample_weights: float32 [B]; ignored where the loss returns a scalar.

        Returns:
            A scalar.
        """
        value: Tensor = self.loss(logits.float(), targets if self.soft else targets.argmax(dim=1))
        return (value * sample_weights).mean() if value.ndim == 1 else value
