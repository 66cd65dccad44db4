"""Weights and stacks learnt from validation: never worse than one member, honestly judged."""

from __future__ import annotations

import pytest
import torch
from helpers import manifest_of, quick
from hypothesis import given
from hypothesis import strategies as st
from torch.nn.functional import cross_entropy, nll_loss

from osprey.ensembling.combine import fit_stack, mixture_weights
from osprey.errors import DataError
from osprey.models.ensemble import Mixture, stack_inputs


def opinions(seed: int, members: int, n: int = 60, classes: int = 3) -> tuple[torch.Tensor, ...]:
    """Log-probabilities of members of different skill, and the truth."""
    generator = torch.Generator().manual_seed(seed)
    targets = torch.randint(classes, (n,), generator=generator)
    skill = 3 * torch.rand(members, generator=generator)[None, :, None]
    noise = torch.randn(n, members, classes, generator=generator)
    truth = torch.nn.functional.one_hot(targets, classes)[:, None]
    return (noise + skill * truth).log_softmax(dim=2), targets


@quick
@given(st.integers(0, 10**6), st.integers(2, 5))
def test_weights_are_never_worse_than_the_best_member(seed: int, members: int) -> None:
    answers, targets = opinions(seed, members)
    weights = mixture_weights(answers, targets)
    assert bool((weights >= 0).all()) and float(weights.sum()) == pytest.approx(1, abs=1e-5)
    mixture = Mixture(members)
    equal = float(nll_loss(mixture(answers), targets))
    mixture.weights.copy_(weights)
    mixed = float(nll_loss(mixture(answers), targets))
    alone = min(float(nll_loss(answers[:, m], targets)) for m in range(members))
    assert mixed <= min(alone, equal) + 1e-6
    assert torch.equal(weights, mixture_weights(answers, targets))


def test_a_perfect_member_gets_all_the_weight() -> None:
    answers, targets = opinions(0, 2)
    answers[:, 0] = torch.nn.functional.one_hot(targets, 3).float().clamp(1e-3, 0.998).log()
    torch.testing.assert_close(
        mixture_weights(answers, targets), torch.tensor([1.0, 0.0]), atol=1e-3, rtol=0
    )


@pytest.mark.parametrize("groups", [None, ["x", "y", "z"] * 20])
def test_a_stack_learns_and_is_judged_on_photos_it_has_not_seen(groups: list[str] | None) -> None:
    answers, targets = opinions(1, 3)
    answers = answers.flip(2)  # every member calls the first class the last
    manifest = manifest_of(["abc"[t] for t in targets], groups)
    weight, bias, held_out = fit_stack(answers, targets, manifest, seed=0)
    fitted = stack_inputs(answers) @ weight.T + bias
    assert float((fitted.argmax(1) == targets).float().mean()) > 0.8
    seen, unseen = float(cross_entropy(fitted, targets)), float(cross_entropy(held_out, targets))
    assert seen < unseen < float(torch.tensor(3.0).log())
    torch.testing.assert_close(held_out.exp().sum(1), torch.ones(60))


def test_one_group_cannot_be_checked_on_another() -> None:
    answers, targets = opinions(1, 3)
    manifest = manifest_of(["abc"[t] for t in targets], ["x"] * 60)
    with pytest.raises(DataError, match="stacked needs 2 photos, or 2 groups, in "):
        fit_stack(answers, targets, manifest, seed=0)


@pytest.mark.parametrize(
    ("labels", "groups", "lacking"),
    [
        ("ab", "xy", "photo"),
        ("abc", "xyy", "photo"),
        ("ab", None, "photo"),
        ("aabb", "xxyy", "class"),
    ],
)
def test_a_part_that_nothing_can_be_learnt_from(
    labels: str, groups: str | None, lacking: str
) -> None:
    targets = torch.tensor(["abc".index(label) for label in labels])
    answers = opinions(1, 3, n=len(labels))[0]
    manifest = manifest_of(labels, list(groups) if groups else None)
    with pytest.raises(DataError, match=rf"one such part has no second {lacking}: use weighted"):
        fit_stack(answers, targets, manifest, seed=0)
