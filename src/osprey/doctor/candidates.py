"""Pairs of photos that may be one picture: hashes that are close, thumbnails that are alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from osprey.doctor.closely import units_of
from osprey.doctor.hashing import (
    ORIENTATIONS,
    WHOLE,
    WINDOWS,
    Window,
    close_pairs,
    hashes_of,
    sampling,
)

_WHOLE_BITS, _CUT_BITS = 8, 9  # of 63 that may differ
_ALIKE, _CUT_ALIKE = 0.8, 0.7  # least correlation of two thumbnails that are then compared closely
_MOST = 40  # candidates of one photo that are compared closely, the likest first
_BLOCK, _DENSE = 64, 16  # photos compared at once; one in so many pairs of them is many


@dataclass(frozen=True)
class Way:
    """How one photo may have come of another: mirrored and turned, or a part of it.

    Attributes:
        orientation: See `osprey.doctor.hashing.oriented`.
        window: The part.
    """

    orientation: int = 0
    window: Window = WHOLE

    def hashes(self, thumbs: NDArray[np.uint8]) -> NDArray[np.uint64]:
        """What the photos' hashes would be then, uint64 [N]."""
        return hashes_of(thumbs, self.window, self.orientation)

    def thumbs(self, thumbs: NDArray[np.uint8]) -> NDArray[np.float32]:
        """What the photos' thumbnails would be then, float32 [N, 32, 32]."""
        if self.window != WHOLE:
            x, y, side = self.window
            down, across = sampling(y, side), sampling(x, side)
            return np.asarray(down @ thumbs.astype(np.float32) @ across.T, dtype=np.float32)
        how = self.orientation
        pictures = thumbs.transpose(0, 2, 1) if how & 4 else thumbs
        return pictures[:, :: -1 if how & 2 else 1, :: -1 if how & 1 else 1].astype(np.float32)


AS_IT_IS = Way()
TURNED = [Way(orientation=orientation) for orientation in range(1, ORIENTATIONS)]
CUT = [Way(window=window) for window in WINDOWS]


@dataclass(frozen=True)
class Candidates:
    """P pairs of photos.

    Attributes:
        first: int64 [P], row of the photo of which the other came.
        second: int64 [P], row of the other.
        alike: float32 [P], correlation of their thumbnails.
        way: int64 [P], number of the way.
    """

    first: NDArray[np.int64]
    second: NDArray[np.int64]
    alike: NDArray[np.float32]
    way: NDArray[np.int64]

    def at(self, places: NDArray[Any]) -> Candidates:
        """Some of them."""
        return Candidates(
            self.first[places], self.second[places], self.alike[places], self.way[places]
        )

    def and_others(self, more: Candidates) -> Candidates:
        """Both together, each pair of photos by its likest way, of each photo the likest."""
        first, second = np.r_[self.first, more.first], np.r_[self.second, more.second]
        both = Candidates(first, second, np.r_[self.alike, more.alike], np.r_[self.way, more.way])
        order = np.argsort(-both.alike, kind="stable")
        ends = np.sort(np.stack([first, second], axis=1), axis=1)[order]
        both = both.at(order[np.sort(np.unique(ends, axis=0, return_index=True)[1])])
        return both.at(likest(both.first, both.second, _MOST))


def candidates_of(thumbs: NDArray[np.uint8], ways: Sequence[Way]) -> Candidates:
    """The pairs of photos that may be one picture, the likest first.

    Args:
        thumbs: uint8 [N, 32, 32], grey.
        ways: How one may have come of the other.
    """
    plain, units = hashes_of(thumbs), units_of(thumbs.astype(np.float32))
    none = np.zeros(0, dtype=np.int64)
    chosen = Candidates(none, none, none.astype(np.float32), none)
    for number, way in enumerate(ways):
        is_cut = way.window != WHOLE
        bits, least = (_CUT_BITS, _CUT_ALIKE) if is_cut else (_WHOLE_BITS, _ALIKE)
        first, second = close_pairs(way.hashes(thumbs), plain, bits, both=is_cut)
        if not len(first):
            continue
        order = np.argsort(first, kind="stable")
        first, second = first[order], second[order]
        rows, place = np.unique(first, return_inverse=True)
        alike = _correlations(units_of(way.thumbs(thumbs[rows])), place, units, second)
        every = Candidates(first, second, alike, np.full(len(first), number, dtype=np.int64))
        chosen = chosen.and_others(every.at(alike >= least))
    return chosen


def _correlations(
    one: NDArray[np.float32],
    first: NDArray[np.int64],
    other: NDArray[np.float32],
    second: NDArray[np.int64],
) -> NDArray[np.float32]:
    """The products of pairs of vectors, float32 [P]; ``first`` ascends."""
    found = np.zeros(len(first), dtype=np.float32)
    starts = range(0, len(one), _BLOCK)
    bounds = np.searchsorted(first, [*starts, len(one)])
    for begin, low, high in zip(starts, bounds[:-1], bounds[1:], strict=True):
        i, j = first[low:high], second[low:high]
        if len(i) * _DENSE > _BLOCK * len(other):  # then one product of matrices is quicker
            found[low:high] = (one[begin : begin + _BLOCK] @ other.T)[i - begin, j]
        else:
            found[low:high] = np.einsum("pk,pk->p", one[i], other[j])
    return found


def likest(first: NDArray[np.int64], second: NDArray[np.int64], most: int) -> NDArray[np.bool_]:
    """Which pairs are among the first of one of their photos.

    Args:
        first: int64 [P], one photo of each pair, the likest pairs first.
        second: int64 [P], the other.
        most: Pairs of one photo.

    Returns:
        Bool [P].
    """
    ends = np.stack([first, second], axis=1).ravel()
    order = np.argsort(ends, kind="stable")
    rank = np.empty(len(ends), dtype=np.int64)
    rank[order] = np.arange(len(ends)) - np.searchsorted(ends[order], ends[order])
    return np.asarray((rank.reshape(-1, 2) < most).any(axis=1))
