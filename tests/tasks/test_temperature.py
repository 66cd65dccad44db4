"""The fitted temperature: right where it is known, modest where data is scarce."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn.functional import cross_entropy

from osprey.tasks.classification.temperature import fit_temperature


@pytest.mark.parametrize("truth", [0.5, 1.0, 3.0])
def test_recovers_a_known_temperature(truth: float) -> None:
    generator = torch.Generator().manual_seed(0)
    honest = 2 * torch.randn(20_000, 4, generator=generator)
    targets = torch.multinomial(honest.softmax(1), 1, generator=generator)[:, 0]
    assert fit_temperature(honest * truth, targets) == pytest.approx(truth, rel=0.05)


@pytest.mark.parametrize("n", [9, 100])
def test_without_a_mistake_there_is_nothing_to_fit(n: int) -> None:
    targets = torch.arange(n) % 3
    for certainty in (1.0, 50.0):
        logits = certainty * torch.nn.functional.one_hot(targets, 3).float()
        temperature = fit_temperature(logits, targets)
        before, after = (cross_entropy(logits / t, targets) for t in (1.0, temperature))
        assert after <= before


@given(st.integers(2, 300), st.integers(2, 6), st.floats(0.1, 20), st.integers(0, 2**31))
def test_it_never_harms_what_it_was_fitted_on(n: int, classes: int, size: float, seed: int) -> None:
    """The log loss never rises, and one that falls by less than its error stays as it is."""
    draw = torch.Generator().manual_seed(seed)
    logits = size * torch.randn(n, classes, generator=draw)
    targets = torch.randint(classes, (n,), generator=draw)
    temperature = fit_temperature(logits, targets)
    before, after = (
        cross_entropy(logits.double() / t, targets, reduction="none") for t in (1.0, temperature)
    )
    gain = before - after
    assert float(gain.mean()) >= 0
    assert temperature == 1 or float(gain.mean()) > float(gain.std(correction=0)) / n**0.5
