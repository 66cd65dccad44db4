"""How many copies each photo gets, so that rare classes and groups get more."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

_POWERS = {"sqrt": 0.5, "uniform": 0.0, "none": 1.0}  # of a class's or group's size: its share
BALANCES = tuple(_POWERS)
Counts = NDArray[np.int64]


def fill(sizes: Counts, shares: NDArray[np.float64], total: int) -> Counts:
    """Share out a total in proportion, but to nobody less than it has already.

    Args:
        sizes: int64 [C], what each has.
        shares: float64 [C], positive: what each should get, in proportion.
        total: What is shared out, at least the sum of ``sizes``.

    Returns:
        int64 [C] that sum to ``total``, each at least its size.
    """
    held = np.zeros(len(sizes), dtype=bool)  # those that have more than their share
    while True:
        free = ~held
        level = (total - sizes[held].sum()) / max(shares[free].sum(), 1e-12)
        over = free & (level * shares < sizes)
        if not over.any():
            break
        held |= over
    exact = np.where(held, sizes, level * shares)
    whole = np.maximum(np.floor(exact + 1e-9).astype(np.int64), sizes)
    left = total - int(whole.sum())
    order = np.argsort(-(exact - whole), kind="stable")
    for number in range(left):
        whole[order[number % len(order)]] += 1
    return whole


def class_targets(sizes: Counts, copies: int, balance: str) -> Counts:
    """How many photos each class is to have, originals included.

    The total is that of ``copies`` for every photo; the balance says who gets them.

    Args:
        sizes: int64 [C], photos of each class.
        copies: On average over all photos.
        balance: ``none``: in proportion to the classes' sizes; ``sqrt``: to the square roots of
            them; ``uniform``: all classes alike. A class larger than its share keeps its photos.

    Returns:
        int64 [C].
    """
    return fill(sizes, sizes.astype(float) ** _POWERS[balance], int(sizes.sum()) * (1 + copies))


def copies_of(
    names: Sequence[str],
    labels: Sequence[str],
    groups: Sequence[str] | None,
    targets: Mapping[str, int],
    balance: str,
    seed: int,
) -> Counts:
    """How many copies each photo gets.

    Args:
        names: Of N photos, each different.
        labels: Their classes.
        groups: Their groups, among which each class is shared out by the same balance, or None.
        targets: How many photos each class is to have, originals included.
        balance: As for `class_targets`.
        seed: It decides which photos get one copy more than others of their class.

    Returns:
        int64 [N].
    """
    found = np.zeros(len(names), dtype=np.int64)
    kinds = np.asarray(labels, dtype=object)
    belongs = np.asarray(groups if groups is not None else [""] * len(names), dtype=object)
    drawn = np.array([_drawn(name, seed) for name in names], dtype=np.uint64)
    for label, target in targets.items():
        rows = np.flatnonzero(kinds == label)
        members, inverse = np.unique(belongs[rows].astype(str), return_inverse=True)
        sizes = np.bincount(inverse, minlength=len(members)).astype(np.int64)
        total = max(target, int(sizes.sum()))  # originals always stay
        each = fill(sizes, sizes.astype(float) ** _POWERS[balance], total)
        for number in range(len(members)):
            part = rows[inverse == number]
            extra = int(each[number] - sizes[number])
            found[part] = extra // len(part)
            found[part[np.argsort(drawn[part], kind="stable")][: extra % len(part)]] += 1
    return found


def _drawn(name: str, seed: int) -> int:
    """A number for a photo, the same in every process and order."""
    text = f"{seed}\0{name}".encode("utf-8", "surrogateescape")
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "little")
