"""The linear head is the one its definition names, whoever solves for it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from osprey.training.probe.linear_probe import fit_linear


@pytest.mark.parametrize("weighted", [False, True])
def test_the_head_is_scikit_learns(weighted: bool) -> None:
    draw = np.random.default_rng(0)
    targets = draw.integers(0, 3, 90)
    features = draw.normal(0, [1, 5, 0.1, 2], (90, 4)) + targets[:, None] * [1.0, 2.0, 0.1, 0.0]
    weights = draw.uniform(0.2, 3, 90) if weighted else np.ones(90)
    weight, bias = fit_linear(
        torch.tensor(features, dtype=torch.float32),
        torch.tensor(targets),
        3,
        0.03,
        torch.tensor(weights, dtype=torch.float32) if weighted else None,
    )
    inputs = (features - features.mean(0)) / features.std(0, ddof=1)
    peer = LogisticRegression(C=1 / (0.03 * 90), tol=1e-8, max_iter=1000)
    peer.fit(inputs, targets, sample_weight=weights)
    ours = features @ weight.numpy().T + bias.numpy()
    theirs = peer.decision_function(inputs)
    assert ours - ours.mean(1, keepdims=True) == pytest.approx(
        theirs - theirs.mean(1, keepdims=True), abs=5e-3
    )
