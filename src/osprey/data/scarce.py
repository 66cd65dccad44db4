"""Classes too small to be shared out: what there is of them is trained on."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from osprey.data.copies import joined_groups, originals
from osprey.data.manifest import Manifest
from osprey.data.notices import Guess
from osprey.system.console import counted

_MOST = 0.5  # share of the samples, in groups, that may be kept in train for their class's sake
_SHOWN = 5


def kept_in_train(manifest: Manifest) -> NDArray[np.bool_]:
    """Samples that no cut may take from train: all that there is of a class is one piece.

    A piece is a photo with its copies, or a group. Of a group with such a class all samples are
    kept, unless that were more than half of all. Where every class is one photo none is kept.

    Returns:
        bool [N].
    """
    if manifest.table.empty:
        return np.zeros(0, dtype=bool)
    pieces = _pieces(manifest)
    codes = np.asarray(pd.factorize(manifest.table["label"])[0], dtype=np.int64)
    span = int(pieces.max()) + 1
    pairs = np.unique(codes * span + pieces)  # a class and a piece of it, each once
    alone: NDArray[np.bool_] = np.bincount(pairs // span)[codes] == 1
    if not alone.any():
        return alone
    kept = np.isin(pieces, pieces[alone]) if manifest.has_groups else alone
    too_many = kept.mean() > _MOST if manifest.has_groups else kept.all()
    return np.zeros_like(kept) if too_many else kept


def kept_among(manifest: Manifest, free: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Which of all samples stay in train, of those that could be cut from it (`kept_in_train`).

    Args:
        manifest: N samples.
        free: bool [N].

    Returns:
        bool [N].
    """
    kept = np.zeros(len(free), dtype=bool)
    kept[free] = kept_in_train(manifest.where(pd.Series(free)))
    return kept


def give_back(manifest: Manifest, held: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Of each class that a cut takes whole, leave its smallest piece in train.

    Args:
        manifest: The samples that are cut.
        held: bool [N], what the cut takes.

    Returns:
        bool [N]; as it was where the cut would be left with nothing.
    """
    labels = manifest.table["label"].to_numpy(dtype=str)
    lost = sorted(set(labels[held]) - set(labels[~held]))
    if not lost:
        return held
    pieces = _pieces(manifest)
    sizes = np.bincount(pieces)
    left = held.copy()
    for label in lost:
        of_class = np.unique(pieces[labels == label])
        left[pieces == of_class[np.argmin(sizes[of_class])]] = False
    return left if left.any() else held


def tell_kept(manifest: Manifest, kept: NDArray[np.bool_], notices: list[str]) -> None:
    """Name the classes that are in train alone, because there is too little of them.

    Args:
        manifest: The samples.
        kept: bool [N], of `kept_in_train`.
        notices: A line is appended if there are any.
    """
    table = manifest.table
    names = [name for name in sorted(set(table["label"][kept])) if _is_whole(table, name, kept)]
    piece = "group" if manifest.has_groups else "photo"
    if manifest.has_groups:
        table = table.assign(group=joined_groups(manifest))
        names = [n for n in names if table["group"][table["label"] == n].nunique() == 1]
    if not names:
        return
    shown = ", ".join(names[:_SHOWN]) + (f" and {len(names) - _SHOWN} more" if names[5:] else "")
    notices.append(
        Guess(
            f"{counted(len(names), 'class')} of one {piece}, in train alone: {shown} (a split of "
            "your own, by folders or a column, puts them elsewhere)"
        )
    )


def _is_whole(table: pd.DataFrame, name: str, kept: NDArray[np.bool_]) -> bool:
    return bool(kept[(table["label"] == name).to_numpy()].all())


def _pieces(manifest: Manifest) -> NDArray[np.int64]:
    """The number of each sample's piece."""
    if manifest.has_groups:
        return np.unique(joined_groups(manifest), return_inverse=True)[1]
    first = originals(manifest)
    return np.arange(len(manifest.table)) if first is None else first
