"""Losses on soft targets, so that MixUp, CutMix and label smoothing fit each of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from osprey.errors import ConfigError
from osprey.system.instantiate import instantiate
from osprey.system.targets import import_target, parameters_of
from osprey.tasks.classification.settings import Settings

_EFFECTIVE_BETA = 0.999  # Cui et al. 2019: how soon further photos of a class stop to count


def class_weights(counts: NDArray[np.int64], loss: str, kind: str) -> Tensor:
    """Weight of each class's mistakes, float32 [C], averaging 1 over the training photos.

    Args:
        counts: Training photos per class.
        loss: ``class_balanced`` weighs by the effective number of samples (Cui et al. 2019).
        kind: ``none``, ``sqrt`` or ``balanced``: by the inverse of the count, or its root.
    """
    numbers = np.maximum(counts, 1).astype(float)
    power = {"none": 0.0, "sqrt": 0.5, "balanced": 1.0}[kind]
    weights = numbers**-power
    if loss == "class_balanced":
        weights = weights * (1 - _EFFECTIVE_BETA) / (1 - _EFFECTIVE_BETA**numbers)
    weights *= counts.sum() / (weights * counts).sum()
    return torch.tensor(weights, dtype=torch.float32)


def make_loss(settings: Settings, counts: NDArray[np.int64], *, soft: bool) -> Loss | ForeignLoss:
    """The loss that ``task.loss`` names: a word for one of Osprey's, or a node.

    Args:
        settings: Of the task.
        counts: Training photos per class.
        soft: Batches are mixed, so that targets are soft.

    Raises:
        ConfigError: It cannot be made, or does not take a setting that was made.
    """
    loss = settings.loss
    if isinstance(loss, dict):
        return _foreign(settings, loss, counts, soft=soft)
    return Loss(
        class_weights(counts, loss, settings.class_weights),
        label_smoothing=settings.label_smoothing,
        focal_gamma=settings.focal_gamma if loss == "focal" else 0.0,
    )


def _foreign(
    settings: Settings, node: dict[str, Any], counts: NDArray[np.int64], *, soft: bool
) -> ForeignLoss:
    takes = parameters_of(import_target("task.loss", node.get("_target_")))
    weights = class_weights(counts, "", settings.class_weights)
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
        weights: float [C], weight of each class.
        label_smoothing: Share of the target spread evenly over all classes, 0 to 1.
        focal_gamma: How much easy samples are discounted; 0 is plain cross entropy.
    """

    weights: Tensor

    def __init__(
        self, weights: Tensor, *, label_smoothing: float = 0.0, focal_gamma: float = 0.0
    ) -> None:
        super().__init__()
        # Made anew from the data at every start, so it needs no place in checkpoints.
        self.register_buffer("weights", weights, persistent=False)
        self.label_smoothing = label_smoothing
        self.focal_gamma = focal_gamma

    def forward(self, logits: Tensor, targets: Tensor, sample_weights: Tensor) -> Tensor:
        """Mean loss of logits [B, C] against soft targets [B, C], samples weighted by [B]."""
        smooth = self.label_smoothing
        targets = targets * (1 - smooth) + smooth / targets.shape[1]
        log_p = logits.float().log_softmax(dim=1)
        if self.focal_gamma:
            targets = targets * (1 - log_p.exp()) ** self.focal_gamma
        per_sample = -(targets * self.weights * log_p).sum(dim=1)
        return (per_sample * sample_weights).mean()


class ForeignLoss(nn.Module):
    """A loss of the user's own, asked as torch's are: logits and targets.

    Args:
        loss: Called with logits [B, C] and int64 targets [B], or soft ones [B, C] where batches are
            mixed; gives a scalar, or one number a sample.
        weights: float [C], as Osprey would weigh each class; the linear probe uses them.
        soft: Batches are mixed.
    """

    weights: Tensor

    def __init__(self, loss: nn.Module, weights: Tensor, *, soft: bool) -> None:
        super().__init__()
        self.loss = loss
        self.soft = soft
        self.register_buffer("weights", weights, persistent=False)

    def forward(self, logits: Tensor, targets: Tensor, sample_weights: Tensor) -> Tensor:
        """Loss of logits [B, C] against soft targets [B, C]; per-sample ones weighted by [B]."""
        value: Tensor = self.loss(logits.float(), targets if self.soft else targets.argmax(dim=1))
        return (value * sample_weights).mean() if value.ndim == 1 else value
