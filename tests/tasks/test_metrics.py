"""Figures against scikit-learn's, and what one of them hides from the other."""

from __future__ import annotations

import numpy as np
import pytest
import sklearn.metrics
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torch import Tensor

from osprey.tasks.classification.metrics import per_class_report, scalar_metrics


def draw(seed: int, size: int, classes: int) -> tuple[Tensor, Tensor]:
    """Probabilities that lean towards the truth, and the truth."""
    generator = torch.Generator().manual_seed(seed)
    target = torch.randint(classes, (size,), generator=generator)
    logits = torch.randn(size, classes, generator=generator)
    logits[torch.arange(size), target] += 1
    return logits.softmax(dim=1), target


def figures(probabilities: Tensor, target: Tensor, batch: int = 7) -> dict[str, float]:
    metrics = scalar_metrics(probabilities.shape[1])
    for start in range(0, len(target), batch):
        metrics.update(probabilities[start : start + batch], target[start : start + batch])
    return {name: float(value) for name, value in metrics.compute().items()}


@given(seed=st.integers(0, 2**31), size=st.integers(1, 80), classes=st.integers(2, 9))
@example(seed=1457, size=21, classes=8)  # top-1 and top-5 agree in the first batch
@settings(max_examples=30, deadline=None)
def test_figures_are_scikit_learn_s(seed: int, size: int, classes: int) -> None:
    p, target = draw(seed, size, classes)
    guess = p.argmax(dim=1)
    got = figures(p, target)
    assert got["top1"] == pytest.approx((guess == target).float().mean().item())
    f1 = sklearn.metrics.f1_score(target, guess, average="macro", zero_division=0)
    assert got["macro_f1"] == pytest.approx(f1, abs=1e-5)
    names = list(range(classes))
    exact = p.double() / p.double().sum(dim=1, keepdim=True)
    log_loss = sklearn.metrics.log_loss(target, exact, labels=names)
    assert got["log_loss"] == pytest.approx(log_loss, rel=1e-4)
    assert ("top5" in got) == (classes > 5)
    if classes > 5:
        best5 = p.topk(5).indices
        assert got["top5"] == pytest.approx((best5 == target[:, None]).any(dim=1).float().mean())


@given(seed=st.integers(0, 2**31), size=st.integers(1, 60), classes=st.integers(2, 6))
@settings(max_examples=30, deadline=None)
def test_per_class_figures_are_scikit_learn_s(seed: int, size: int, classes: int) -> None:
    p, target = draw(seed, size, classes)
    names = [f"class {i}" for i in range(classes)]
    report = per_class_report(p, target, names)
    numbers = list(range(classes))
    answers, truth = p.argmax(dim=1).numpy(), target.numpy()
    wanted = sklearn.metrics.precision_recall_fscore_support(
        truth, answers, labels=numbers, zero_division=0
    )
    assert [row["label"] for row in report["per_class"]] == names
    for key, values in zip(("precision", "recall", "f1", "n"), wanted, strict=True):
        assert [row[key] for row in report["per_class"]] == pytest.approx(values.tolist(), abs=1e-5)
    confusion = sklearn.metrics.confusion_matrix(truth, answers, labels=numbers)
    assert report["confusion"] == confusion.tolist()


def test_accuracy_hides_what_macro_f1_shows() -> None:
    target = torch.tensor([0] * 90 + [1] * 5 + [2] * 5)
    always_first = torch.tensor([[0.9, 0.05, 0.05]]).repeat(100, 1)
    got = figures(always_first, target)
    assert got["top1"] == pytest.approx(0.9)
    assert got["macro_f1"] == pytest.approx((180 / 190) / 3)
    rows = per_class_report(always_first, target, ["common", "rare", "rarer"])["per_class"]
    assert [row["recall"] for row in rows] == [1, 0, 0]
    assert [row["n"] for row in rows] == [90, 5, 5]


def test_calibration_error_by_hand() -> None:
    # 4 answers at 0.9 of which 3 are right, 6 at 0.6 of which 3 are right.
    p = torch.tensor([[0.9, 0.1]] * 4 + [[0.6, 0.4]] * 6)
    target = torch.tensor([0, 0, 0, 1, 0, 0, 0, 1, 1, 1])
    wanted = 0.4 * abs(0.9 - 3 / 4) + 0.6 * abs(0.6 - 3 / 6)
    assert figures(p, target)["ece"] == pytest.approx(wanted, abs=1e-5)


def test_calibration_error_of_many_by_hand() -> None:
    p, target = draw(0, 500, 4)
    confidence, guess = p.numpy().max(axis=1), p.argmax(dim=1).numpy()
    bins = np.minimum((confidence * 15).astype(int), 14)
    right = guess == target.numpy()
    wanted = sum(
        abs(confidence[bins == b].mean() - right[bins == b].mean()) * (bins == b).mean()
        for b in np.unique(bins)
    )
    assert figures(p, target)["ece"] == pytest.approx(wanted, abs=1e-5)


def test_a_sure_mistake_costs_much_but_not_everything() -> None:
    got = figures(torch.tensor([[1.0, 0.0], [0.0, 1.0]]), torch.tensor([0, 0]))
    assert got["log_loss"] == pytest.approx(-np.log(1e-12) / 2, rel=1e-4)
