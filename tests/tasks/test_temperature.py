"""The fitted temperature: right where it is known, modest where data is scarce."""

from __future__ import annotations

import pytest
import torch

from osprey.tasks.classification.temperature import fit_temperature


@pytest.mark.parametrize("truth", [0.5, 1.0, 3.0])
def test_recovers_a_known_temperature(truth: float) -> None:
    generator = torch.Generator().manual_seed(0)
    honest = 2 * torch.randn(20_000, 4, generator=generator)
    targets = torch.multinomial(honest.softmax(1), 1, generator=generator)[:, 0]
    assert fit_temperature(honest * truth, targets) == pytest.approx(truth, rel=0.05)


@pytest.mark.parametrize("n", [9, 100])
def test_no_mistake_in_few_photos_is_not_certainty(n: int) -> None:
    targets = torch.arange(n) % 3
    logits = 50 * torch.nn.functional.one_hot(targets, 3).float()
    temperature = fit_temperature(logits, targets)
    confidence = float((logits / temperature).softmax(1).max(1).values.mean())
    assert confidence == pytest.approx(1 - 1 / (n + 2), abs=0.005)
