"""Losses against PyTorch's own and against their papers' formulas."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional

from osprey.tasks.classification.losses import Loss, class_weights

quick = settings(max_examples=60, deadline=None)


def batch(seed: int, size: int = 16, classes: int = 5) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Logits, targets, soft targets that mix two classes, and class weights."""
    generator = torch.Generator().manual_seed(seed)
    logits = 3 * torch.randn(size, classes, generator=generator)
    targets = torch.randint(classes, (size,), generator=generator)
    soft = torch.rand(size, classes, generator=generator).softmax(dim=1)
    weights = 0.1 + torch.rand(classes, generator=generator)
    return logits, targets, soft, weights


def one_hot(targets: Tensor, classes: int = 5) -> Tensor:
    return functional.one_hot(targets, classes).float()


@given(seed=st.integers(0, 2**31), smoothing=st.floats(0, 0.9))
@quick
def test_cross_entropy_is_pytorch_s(seed: int, smoothing: float) -> None:
    logits, targets, soft, weights = batch(seed)
    even = torch.ones(len(logits))
    loss = Loss(weights, label_smoothing=smoothing)
    theirs = functional.cross_entropy(logits, soft, weights, label_smoothing=smoothing)
    torch.testing.assert_close(loss(logits, soft, even), theirs)
    plain = Loss(torch.ones(5), label_smoothing=smoothing)
    hard = functional.cross_entropy(logits, targets, label_smoothing=smoothing)
    torch.testing.assert_close(plain(logits, one_hot(targets), even), hard)


@given(seed=st.integers(0, 2**31), gamma=st.floats(0.1, 5))
@quick
def test_focal_loss_is_its_paper_s(seed: int, gamma: float) -> None:
    logits, targets, _, weights = batch(seed)
    p = logits.softmax(dim=1)[torch.arange(len(logits)), targets]
    wanted = (-weights[targets] * (1 - p) ** gamma * p.log()).mean()
    loss = Loss(weights, focal_gamma=gamma)
    torch.testing.assert_close(loss(logits, one_hot(targets), torch.ones(16)), wanted)


def test_focal_loss_of_gamma_zero_is_cross_entropy() -> None:
    logits, _, soft, weights = batch(0)
    even = torch.ones(16)
    focal, plain = Loss(weights, focal_gamma=0.0), Loss(weights)
    assert torch.equal(focal(logits, soft, even), plain(logits, soft, even))


def test_focal_loss_discounts_what_is_known_already() -> None:
    logits = torch.tensor([[6.0, 0.0], [0.0, 0.5]])
    targets, even = one_hot(torch.tensor([0, 0]), 2), torch.ones(2)
    per_sample = [
        [Loss(torch.ones(2), focal_gamma=g)(logits[i : i + 1], targets[i : i + 1], even[:1])
         for i in range(2)]
        for g in (0.0, 2.0)
    ]  # fmt: skip
    easy, hard = (per_sample[1][i] / per_sample[0][i] for i in range(2))
    assert easy < 0.001 < 0.3 < hard


def test_sample_weights_scale_their_own_samples() -> None:
    logits, targets, _, _ = batch(1)
    sample_weights = torch.rand(16)
    each = functional.cross_entropy(logits, targets, reduction="none")
    loss = Loss(torch.ones(5))
    torch.testing.assert_close(
        loss(logits, one_hot(targets), sample_weights), (each * sample_weights).mean()
    )
    assert loss(logits, one_hot(targets), torch.zeros(16)) == 0


def test_half_precision_logits_give_a_full_precision_loss() -> None:
    logits, targets, _, _ = batch(2)
    loss = Loss(torch.ones(5))(logits.bfloat16(), one_hot(targets), torch.ones(16))
    assert loss.dtype == torch.float32


# ---------------------------------------------------------------- class weights


@given(
    counts=st.lists(st.integers(1, 5000), min_size=2, max_size=12),
    kind=st.sampled_from(["none", "sqrt", "balanced"]),
    loss=st.sampled_from(["cross_entropy", "focal", "class_balanced"]),
)  # fmt: skip
@quick
def test_weights_average_one_over_the_photos(counts: list[int], kind: str, loss: str) -> None:
    numbers = np.array(counts)
    weights = class_weights(numbers, loss, kind).numpy()
    assert (weights * numbers).sum() / numbers.sum() == pytest.approx(1, rel=1e-4)
    order = np.argsort(numbers)
    assert (np.diff(weights[order]) <= 1e-6 * weights.max()).all(), "rarer never weighs less"


def test_weights_by_hand() -> None:
    counts = np.array([900, 100])
    assert class_weights(counts, "cross_entropy", "none").tolist() == [1, 1]
    balanced = class_weights(counts, "cross_entropy", "balanced").tolist()
    assert balanced == pytest.approx([1000 / 1800, 1000 / 200])
    sqrt = class_weights(counts, "cross_entropy", "sqrt")
    assert (sqrt[1] / sqrt[0]).item() == pytest.approx(3)


def test_class_balanced_is_its_paper_s() -> None:
    counts = np.array([5000, 300, 7])
    effective = (1 - 0.999**counts) / (1 - 0.999)  # Cui et al. 2019, equation 2
    wanted = 1 / effective
    weights = class_weights(counts, "class_balanced", "none").numpy()
    assert weights / weights[0] == pytest.approx(wanted / wanted[0], rel=1e-5)


def test_a_class_without_photos_has_a_finite_weight() -> None:
    for kind in ("none", "sqrt", "balanced"):
        assert torch.isfinite(class_weights(np.array([10, 0]), "class_balanced", kind)).all()
