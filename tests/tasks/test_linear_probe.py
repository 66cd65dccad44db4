"""The linear head is the one its definition names, whoever solves for it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from osprey.tasks.classification.probe.linear_probe import fit_linear


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


def test_it_does_not_matter_where_it_begins() -> None:
    torch.manual_seed(0)
    targets = torch.randint(0, 3, (60,))
    features = 5 * torch.randn(60, 6) + targets[:, None]
    strong = fit_linear(features, targets, 3, 0.3)
    fresh, begun = (fit_linear(features, targets, 3, 0.01, start=start) for start in (None, strong))
    for one, other in zip(fresh, begun, strict=True):
        torch.testing.assert_close(one, other, rtol=0.02, atol=2e-3)
