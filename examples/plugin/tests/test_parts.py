"""Each part alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from reefkit.augment import MurkyWater
from reefkit.data import by_effective_number, read_survey
from reefkit.losses import GeneralizedCrossEntropy
from reefkit.metrics import GeometricMeanRecall
from reefkit.nets import ReefNet


def test_the_network_answers_for_every_class() -> None:
    network = ReefNet(num_classes=5, width=4, depth=2)
    images = torch.rand(2, 3, 33, 40)
    assert network(images).shape == (2, 5)
    assert network.forward_head(network.forward_features(images), pre_logits=True).shape == (2, 16)


def test_the_loss_lies_between_cross_entropy_and_absolute_error() -> None:
    logits, targets = torch.randn(6, 3), torch.tensor([0, 1, 2, 0, 1, 2])
    probability = logits.softmax(1).gather(1, targets[:, None])[:, 0]
    near = GeneralizedCrossEntropy(q=1e-3)(logits, targets)
    torch.testing.assert_close(near, -probability.log(), rtol=0.02, atol=0.02)
    torch.testing.assert_close(GeneralizedCrossEntropy(q=1.0)(logits, targets), 1 - probability)
    soft = torch.nn.functional.one_hot(targets, 3).float()
    loss = GeneralizedCrossEntropy()
    torch.testing.assert_close(loss(logits, soft), loss(logits, targets))
    with pytest.raises(ValueError, match=r"q must lie in \(0, 1\]"):
        GeneralizedCrossEntropy(q=0)


def test_the_metric_is_the_geometric_mean_of_the_recalls() -> None:
    metric = GeometricMeanRecall(num_classes=3)
    answers = torch.eye(3)[torch.tensor([0, 0, 0, 0, 1])]
    metric.update(answers, torch.tensor([0, 0, 0, 1, 1]))
    assert float(metric.compute()) == pytest.approx((1.0 * 0.5) ** 0.5)


def test_the_step_keeps_the_photo_s_form_and_repeats_itself() -> None:
    photo = np.full((8, 10, 3), 200, np.uint8)
    step = MurkyWater(least=0.2, most=0.6, p=1.0)
    step.set_random_seed(1)
    first = step(image=photo)["image"]
    step.set_random_seed(1)
    assert np.array_equal(first, step(image=photo)["image"])
    assert first.shape == photo.shape and first.dtype == np.uint8
    assert (first < photo).all()


def test_the_reader_lists_every_transect(survey: Path) -> None:
    table = read_survey(survey)
    assert len(table) == 54 and table["group"].nunique() == 6
    assert {"path", "label", "group", "light"} <= set(table.columns)
    assert (survey / table["path"][0]).is_file()


def test_the_sampler_prefers_what_is_rare() -> None:
    chances = by_effective_number(np.array([0] * 9 + [1]))
    assert chances.sum() == pytest.approx(1)
    assert chances[-1] > 5 * chances[0]
