"""Temperature scaling (Guo et al. 2017): one number that makes scores mean what they say."""

from __future__ import annotations

import numpy as np
from scipy.optimize import minimize_scalar
from torch import Tensor, nn

_LIMITS = (0.05, 20.0)  # outside, the validation split was too small or too easy to tell


def fit_temperature(logits: Tensor, targets: Tensor) -> float:
    """The temperature with the lowest log loss on held-out data.

    Args:
        logits: float [N, C].
        targets: int64 [N].

    Returns:
        A number in 0.05..20; above 1 the network was too sure of itself.
    """

    def loss(log_t: float) -> float:
        return float(nn.functional.cross_entropy(logits.double() / np.exp(log_t), targets))

    found = minimize_scalar(loss, bounds=tuple(np.log(_LIMITS)), method="bounded")
    return float(np.exp(found.x))
