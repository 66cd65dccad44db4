"""A share of the training samples moved to another split."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from osprey.data.folds import make_folds, pieces_of
from osprey.data.manifest import Manifest
from osprey.data.scarce import give_back, kept_among
from osprey.errors import DataError
from osprey.system.console import counted


def free_to_cut(
    manifest: Manifest, split: NDArray[np.object_], among: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """Bool [N]: the samples of train, ``among`` these, that a cut may take."""
    train: NDArray[np.bool_] = (split == "train") & among
    return train & ~kept_among(manifest, train)


def cut(
    manifest: Manifest,
    split: NDArray[np.object_],
    name: str,
    fraction: float,
    seed: int,
    among: NDArray[np.bool_] | None = None,
    columns: Sequence[str] = (),
) -> None:
    """Move about ``fraction`` of the samples from train to ``name``, in place.

    Args:
        manifest: N samples.
        split: Their splits, changed.
        name: ``val`` or ``test``.
        fraction: Of all samples, or of those ``among`` which it is cut.
        seed: Of the folds.
        among: Bool [N], the samples that it is cut from; None for all.
        columns: Shared out evenly beside the labels (``data.stratify``).

    Raises:
        DataError: There are too few samples or groups in train.
    """
    if among is None:
        among = np.ones(len(split), dtype=bool)
    mask = free_to_cut(manifest, split, among)
    free = np.flatnonzero(mask)
    part = manifest.where(pd.Series(mask))
    pieces = pieces_of(part)
    if pieces == 1 and ((split == "train") & among & ~mask).any():
        split[free] = name  # its classes stand in what stays in train too, or it would stay as well
        return
    if pieces < 2:
        raise DataError(f"cannot cut a {name} split: {_too_few(part, pieces)}")
    wanted = fraction * among.sum() / len(free)
    # So many of so many folds: 2/5 for 0.4, as near as a few folds, or the groups, can come.
    limit = min(max(10, round(1 / wanted)), pieces)
    share = Fraction(wanted).limit_denominator(limit)
    share = min(max(share, Fraction(1, limit)), Fraction(limit - 1, limit))
    take, count = share.numerator, share.denominator
    folds = make_folds(part, count, seed, columns)
    labels = part.table["label"].to_numpy(dtype=str)

    def held_from(start: int) -> NDArray[np.bool_]:
        held: NDArray[np.bool_] = (folds + start) * take % count < take  # spread over the folds
        return held

    def cost(start: int) -> tuple[int, int, float]:
        held = held_from(start)
        lost_train = len(set(labels)) - len(set(labels[~held]))
        lost_held = len(set(labels)) - len(set(labels[held]))
        return lost_train, lost_held, abs(held.mean() - wanted)

    split[free[give_back(part, held_from(min(range(count), key=cost)))]] = name


def _too_few(part: Manifest, pieces: int) -> str:
    """Why what is left of train cannot be cut."""
    if part.has_groups:
        return f"only {counted(pieces, 'group')} left for training"
    samples = len(part.table)
    if samples > pieces:
        copies = counted(samples, "photo")
        return f"the {copies} left for training are copies of one, which stay together"
    return f"only {counted(pieces, 'sample')} left for training"
