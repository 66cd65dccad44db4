"""Weights of an ensemble's members, fitted on validation."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from osprey.data.folds import make_folds
from osprey.data.manifest import Manifest
from osprey.errors import DataError
from osprey.models.ensemble import stack_inputs
from osprey.tasks.classification.probe.linear_probe import fit_linear

_L2 = (1e-3, 1e-2, 1e-1, 1.0)  # strengths tried; inner cross-validation chooses
_FOLDS = 5


def mixture_weights(log_probabilities: Tensor, targets: Tensor) -> Tensor:
    """Mixture weights with the lowest log loss, none negative, summing to 1.

    Expectation-maximisation for mixture proportions: the loss is convex in them, every step lowers
    it, and equal initial weights make it reproducible.

    Args:
        log_probabilities: float [N, M, C] of the M members.
        targets: int64 [N].

    Returns:
        float32 [M]; on these photos no worse than any single member.
    """
    index = targets[:, None, None].expand(-1, log_probabilities.shape[1], 1)
    likelihood = log_probabilities.double().gather(2, index)[:, :, 0].exp().clamp_min(1e-12)
    weights = torch.full((likelihood.shape[1],), 1 / likelihood.shape[1], dtype=torch.float64)
    for _ in range(2000):
        before, shares = weights, likelihood * weights
        weights = (shares / shares.sum(dim=1, keepdim=True)).mean(dim=0)
        if float((weights - before).abs().max()) < 1e-7:
            break
    choices = [weights, *torch.eye(len(weights), dtype=torch.float64)]
    losses = [float(-(likelihood @ choice).log().mean()) for choice in choices]
    best: Tensor = choices[losses.index(min(losses))]
    return best.float()


def fit_stack(
    log_probabilities: Tensor, targets: Tensor, manifest: Manifest, seed: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Multinomial logistic regression on members' log-probabilities.

    Its L2 penalty is the one with the lowest log loss in cross-validation that keeps groups
    together; the predictions of that cross-validation are returned as well, since those on the
    fitted photos would be optimistic.

    Args:
        log_probabilities: float [N, M, C] of the M members.
        targets: int64 [N].
        manifest: The same N samples.
        seed: Of the folds.

    Returns:
        Weight [C, M * C], bias [C], and held-out log-probabilities float32 [N, C].

    Raises:
        DataError: There are too few photos, groups or classes to cross-validate.
    """
    inputs, classes = stack_inputs(log_probabilities), log_probabilities.shape[2]
    parts = min(_FOLDS, manifest.table["group"].nunique() if manifest.has_groups else len(targets))
    if parts < 2:
        raise DataError(
            "model.combine=stacked needs 2 photos, or 2 groups, in the validation split to learn "
            "from the one and check on the other: use weighted or average"
        )
    folds = torch.from_numpy(make_folds(manifest, parts, seed))
    for fold in range(int(folds.max()) + 1):
        learnt = targets[folds != fold].tolist()
        if len(set(learnt)) < 2:
            raise DataError(
                "model.combine=stacked learns from parts of the validation split and checks on the "
                f"rest; one such part has no second {'photo' if len(learnt) < 2 else 'class'}: "
                "use weighted or average, or a larger validation split"
            )
    held_out = [_cross_validated(inputs, targets, folds, classes, l2) for l2 in _L2]
    losses = [float(nn.functional.cross_entropy(answer, targets)) for answer in held_out]
    chosen = losses.index(min(losses))
    weight, bias = fit_linear(inputs, targets, classes, _L2[chosen])
    return weight, bias, held_out[chosen].log_softmax(dim=1)


def _cross_validated(
    inputs: Tensor, targets: Tensor, folds: Tensor, classes: int, l2: float
) -> Tensor:
    answers = torch.empty(len(targets), classes)
    for fold in range(int(folds.max()) + 1):
        held = folds == fold
        weight, bias = fit_linear(inputs[~held], targets[~held], classes, l2)
        answers[held] = inputs[held] @ weight.T + bias
    return answers
