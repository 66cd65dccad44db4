"""A linear head fitted on frozen features: a first model in seconds, and a start for fine-tuning.

A random head sends large, meaningless gradients into a pretrained backbone; a fitted one does
not (Kumar et al. 2022). Features are computed once, so this costs one pass over the photos.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import minimize
from threadpoolctl import threadpool_limits
from torch import Tensor, nn

from osprey.errors import ConfigError
from osprey.models.registry import Classifier
from osprey.system.console import say
from osprey.tasks.classification.module import Classification
from osprey.tasks.classification.probe.features import Features, FeatureStore

L2 = (3e-1, 1e-1, 3e-2, 1e-2, 3e-3, 1e-3)  # strengths tried, from the strongest on
Head = tuple[Tensor, Tensor]  # weight [K, C], bias [K]
_STEPS = 300  # of the solver, at most


def linear_head(model: nn.Module) -> nn.Linear:
    """The network's classification layer.

    Args:
        model: Has ``get_classifier()``.

    Returns:
        The layer.

    Raises:
        ConfigError: It is not a single linear layer.
    """
    head = cast(Classifier, model).get_classifier()
    if not isinstance(head, nn.Linear):
        raise ConfigError(
            f"model.head_init=linear_probe: the head of this model is {type(head).__name__}, "
            "not one linear layer; use model.head_init=random"
        )
    return head


def fit_head(
    task: Classification,
    store: FeatureStore,
    drawn: Callable[[NDArray[np.int64]], NDArray[np.float64] | None],
    *,
    views: int = 1,
    verbose: bool = True,
) -> None:
    """Fit the network's last layer by logistic regression on its own features, in place.

    The L2 strength is the one with the lowest log loss on the validation split; weaker ones are
    tried, each from the last one's head, until one is worse. Every process of a distributed run
    computes the same head from the same data.

    Args:
        task: Holds the network.
        store: Gives the network's features.
        drawn: Gives how often training draws each photo, by which photos are weighted here
            (`DataModule.probabilities`).
        views: Views of each training photo: one as in production, the others augmented.
        verbose: Print the result.

    Raises:
        ConfigError: The network's head is not a single linear layer.
    """
    head = linear_head(task.model)
    seen = [store.features("train", view) for view in range(views)]
    values, targets = (torch.cat([getattr(f, key) for f in seen]) for key in ("values", "targets"))
    weights = _weights(task, seen[0], drawn(seen[0].targets.numpy())).repeat(views)
    val = store.features("val")
    (weight, bias), chosen = best_linear(Features(values, targets, weights), val, head.out_features)
    accuracy = float(((val.values @ weight.T + bias).argmax(1) == val.targets).float().mean())
    with torch.no_grad():
        head.weight.copy_(weight)
        head.bias.copy_(bias)
    if verbose:
        looks = f" of {views} views a photo" if views > 1 else ""
        say(
            f"head    fitted on {head.in_features} frozen features{looks}: "
            f"val top-1 {accuracy:.3f} (L2 {chosen:g})"
        )


def best_linear(train: Features, val: Features, num_classes: int) -> tuple[Head, float]:
    """The head whose L2 strength has the lowest log loss on validation, and that strength.

    Args:
        train: What it is fitted on, with the weights of the samples.
        val: What the strength is chosen on.
        num_classes: Number of outputs K.

    Returns:
        Weight float32 [K, C] and bias float32 [K]; the strength.
    """
    best, chosen, fitted = math.inf, L2[0], None
    for l2 in L2:
        tried = fit_linear(train.values, train.targets, num_classes, l2, train.weights, fitted)
        logits = val.values @ tried[0].T + tried[1]
        loss = float(nn.functional.cross_entropy(logits, val.targets))
        if fitted is not None and loss >= best:
            break
        best, chosen, fitted = loss, l2, tried
    assert fitted is not None
    return fitted, chosen


def _weights(task: Classification, train: Features, drawn: NDArray[np.float64] | None) -> Tensor:
    """Weight of each training photo: its own, times its class's, times how often it is drawn."""
    assert task.loss is not None, "a task in training"
    weights = train.weights * task.loss.weights.cpu()[train.targets]
    if drawn is not None:
        weights = weights * torch.tensor(drawn * len(drawn), dtype=torch.float32)
    return weights


def fit_linear(
    features: Tensor,
    targets: Tensor,
    num_classes: int,
    l2: float,
    weights: Tensor | None = None,
    start: Head | None = None,
) -> Head:
    """Multinomial logistic regression by L-BFGS.

    Args:
        features: float32 [N, C].
        targets: int64 [N].
        num_classes: Number of outputs K.
        l2: L2 penalty on the weights of standardised features.
        weights: float32 [N], weights of the samples; None for equal ones.
        start: Initial head, such as that of another penalty; None for zeros.

    Returns:
        Weight float32 [K, C] and bias float32 [K], for features that are not standardised.
    """
    mean, std = features.mean(0), features.std(0).clamp_min(1e-6)
    inputs = (features - mean) / std
    share = (torch.ones(len(targets)) if weights is None else weights)[:, None] / len(targets)
    truth = nn.functional.one_hot(targets, num_classes) * share

    def loss_and_slope(flat: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        weight, bias = _unpacked(flat, num_classes)
        log_p = (inputs @ weight.T + bias).log_softmax(dim=1)
        loss = -(truth * log_p).sum() + l2 * weight.square().sum() / 2
        error = log_p.exp() * share - truth
        slope = torch.cat([error.T @ inputs + l2 * weight, error.sum(0)[:, None]], dim=1)
        return float(loss), slope.double().numpy().ravel()

    begun = torch.zeros(num_classes, inputs.shape[1] + 1)
    if start is not None:
        begun = torch.cat([start[0] * std, (start[1] + start[0] @ mean)[:, None]], dim=1)
    # SciPy's solver: torch's spends nine tenths of the time on dot products, which are slow where
    # threads have to be woken for each; SciPy's own are told not to, or they wait for torch's.
    options: dict[str, Any] = {"maxiter": _STEPS, "ftol": 1e-9, "gtol": 1e-6}
    with threadpool_limits(1, user_api="blas"):
        first = begun.double().numpy().ravel()
        found = minimize(loss_and_slope, first, jac=True, method="L-BFGS-B", options=options)  # type: ignore[call-overload]
    weight, bias = _unpacked(found.x, num_classes)
    scaled = weight / std
    return scaled, bias - scaled @ mean


def _unpacked(flat: NDArray[np.float64], num_classes: int) -> Head:
    """Weight [K, C] and bias [K]: the last column is the bias."""
    table = torch.from_numpy(flat).float().view(num_classes, -1)
    return table[:, :-1], table[:, -1]
