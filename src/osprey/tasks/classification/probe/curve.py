"""A classifier's learning curve: heads fitted on the features of ever more training photos."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache, partial

import numpy as np
import torch
from numpy.typing import NDArray

from osprey.data.folds import make_folds
from osprey.data.manifest import Manifest
from osprey.tasks.bootstrap import drawn_photos
from osprey.tasks.classification.draws import f1_in_draws
from osprey.tasks.classification.probe.features import Features, FeatureStore
from osprey.tasks.classification.probe.linear_probe import best_linear
from osprey.tasks.learning_curve import Line, line_of

_DRAWS = 100
_PARTS = 20  # that the training photos are cut into; a set is so many of them


def learning_lines(
    store: FeatureStore, manifest: Manifest, fractions: Sequence[float], repeats: int
) -> list[Line]:
    """Macro-F1 over the number of training photos, then each class's F1.

    Each set is stratified, and of whole groups where groups are known. The interval of a point is
    that of a bootstrap over the tested photos and over the sets of its size.

    Args:
        store: Gives features.
        manifest: The samples; tested on ``test``, or on ``val`` where there is no test split.
        fractions: Of the training photos, ascending, above 0 to 1.
        repeats: Sets of each size below 1.

    Returns:
        A line for all, then one a class, in the order of the classes.

    Raises:
        DataError: There are too few photos or groups to take so small a part of.
    """
    split = "test" if (manifest.table["split"] == "test").any() else "val"
    train, val, held = (store.features(name) for name in ("train", "val", split))
    part, classes = manifest.split("train"), manifest.classes
    truth = held.targets.numpy()
    weights = drawn_photos(manifest.split(split).table["group"].tolist(), len(truth), _DRAWS)
    if weights is None:
        weights = np.ones((_DRAWS, len(truth)), np.int32)
    cut = cache(partial(make_folds, part))  # the same for several fractions
    sizes, figures = [], []  # of each fraction: photos of each class, and its draws
    for fraction in fractions:
        answers, counts = [], np.zeros(len(classes))
        for rows in _subsets(part, cut, fraction, repeats):
            some = Features(train.values[rows], train.targets[rows], train.weights[rows])
            (weight, bias), _ = best_linear(some, val, len(classes))
            answers.append((held.values @ weight.T + bias).argmax(dim=1).numpy())
            counts += np.bincount(some.targets.numpy(), minlength=len(classes)) / repeats_of(
                fraction, repeats
            )
        sizes.append(counts)
        figures.append(_in_draws(truth, answers, weights, len(classes)))
    counts, values = np.stack(sizes), np.stack(figures, axis=-1)
    names, tested = (
        ["macro-F1", *classes],
        [len(truth), *np.bincount(truth, minlength=len(classes))],
    )
    totals = np.column_stack([counts.sum(axis=1), counts]).round().astype(np.int64)
    return [
        line_of(name, totals[:, place], int(tested[place]), values[place])
        for place, name in enumerate(names)
    ]


def repeats_of(fraction: float, repeats: int) -> int:
    """How many sets of a size there are: of all photos one."""
    return 1 if fraction >= 1 else repeats


def _subsets(
    part: Manifest, cut: Callable[[int, int], NDArray[np.int64]], fraction: float, repeats: int
) -> list[torch.Tensor]:
    """Rows of training photos, as a tensor each."""
    if fraction >= 1:
        return [torch.arange(len(part.table))]
    parts = max(_PARTS, round(1 / fraction))
    if part.has_groups:
        parts = min(parts, part.table["group"].nunique())
    wanted = max(1, round(fraction * parts))
    folds = (cut(parts, seed) for seed in range(repeats))
    return [torch.from_numpy(np.flatnonzero(fold < wanted)) for fold in folds]


def _in_draws(
    truth: NDArray[np.int64],
    answers: Sequence[NDArray[np.int64]],
    weights: NDArray[np.int32],
    classes: int,
) -> NDArray[np.float64]:
    """Macro-F1 and each class's F1 in each draw, float64 [1 + classes, draws]."""
    sets = []
    for answer in answers:
        each = np.stack([f1_in_draws(label, truth, answer, weights) for label in range(classes)])
        sets.append(np.vstack([np.nanmean(each, axis=0), each]))  # NaN: neither there nor answered
    found = np.stack(sets)  # [sets, 1 + classes, draws]
    draw = np.random.default_rng(0)
    taken = draw.integers(len(sets), size=(len(sets), weights.shape[0]))
    means: NDArray[np.float64] = np.mean(
        [found[row, :, np.arange(weights.shape[0])].T for row in taken], axis=0
    )
    return means
