"""Perceptual hashes: 63 signs of a photo's lowest frequencies, also mirrored, turned or cut.

A hash is the signs of the 8 x 8 lowest coefficients of a discrete cosine transform (as in
"pHash"). All of it is linear, so that the hash of a cut-out or of a mirrored photo follows from a
thumbnail by one product of matrices, and no photo is decoded or resized again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from osprey.doctor.looks import THUMB
from osprey.system.memory import cores

Hashes = NDArray[np.uint64]
Window = tuple[float, float, float]  # left, top and side, in shares of the photo
WHOLE: Window = (0.0, 0.0, 1.0)
# Cut-outs of nine tenths of both sides, and of nineteen twentieths (nine tenths of the area).
WINDOWS: tuple[Window, ...] = (
    *((x / 30, y / 30, 0.9) for x in range(4) for y in range(4)),
    *((x / 40, y / 40, 0.95) for x in range(3) for y in range(3)),
)
ORIENTATIONS = 8  # bit 0: mirrored, bit 1: upside down, bit 2: rows and columns changed before
_LOW = 8  # frequencies a side
_ROWS, _COLUMNS = 64, 4096  # of a block whose comparison stays in the processor's cache


def sampling(start: float, side: float) -> NDArray[np.float32]:
    """The matrix that resamples a part of a thumbnail's row to its full length.

    Args:
        start: Where the part begins, 0 to 1.
        side: Its length, 0 to 1.

    Returns:
        float32 [32, 32].
    """
    places = (start + side * (np.arange(THUMB) + 0.5) / THUMB) * THUMB - 0.5
    low = np.floor(places).astype(int)
    share = places - low
    matrix = np.zeros((THUMB, THUMB), dtype=np.float32)
    rows = np.arange(THUMB)
    np.add.at(matrix, (rows, np.clip(low, 0, THUMB - 1)), 1 - share)
    np.add.at(matrix, (rows, np.clip(low + 1, 0, THUMB - 1)), share)
    return matrix


def hashes_of(thumbs: NDArray[np.uint8], window: Window = WHOLE, orientation: int = 0) -> Hashes:
    """Hash N photos, or a part of each.

    Args:
        thumbs: uint8 [N, 32, 32], grey.
        window: The part.
        orientation: How each photo is mirrored and turned before, see `oriented`.

    Returns:
        uint64 [N].
    """
    x, y, side = window
    waves = _waves()
    down, across = waves @ sampling(y, side), waves @ sampling(x, side)
    pixels = thumbs.astype(np.float32)
    found = np.einsum("ki,nij,lj->nkl", down, pixels, across, optimize=True)
    if orientation & 4:
        found = found.transpose(0, 2, 1)
    signs = found > 0
    if orientation & 1:
        signs[:, :, 1::2] = found[:, :, 1::2] < 0
    if orientation & 2:
        signs[:, 1::2, :] ^= True
    signs[:, 0, 0] = False  # the mean says nothing
    packed = np.packbits(signs.reshape(len(thumbs), _LOW * _LOW), axis=1)
    return packed.view(np.uint64)[:, 0]


def oriented(picture: NDArray[np.uint8], orientation: int) -> NDArray[np.uint8]:
    """A picture changed as one of the eight orientations says.

    Args:
        picture: uint8 [H, W] or [H, W, 3].
        orientation: 0 to 7: rows and columns changed (4), then mirrored (1), upside down (2).
    """
    if orientation & 4:
        picture = picture.swapaxes(0, 1)
    if orientation & 1:
        picture = picture[:, ::-1]
    if orientation & 2:
        picture = picture[::-1]
    return np.ascontiguousarray(picture)


def _waves() -> NDArray[np.float32]:
    places, numbers = 2 * np.arange(THUMB) + 1, np.arange(_LOW)
    return np.cos(np.pi * places[None] * numbers[:, None] / (2 * THUMB)).astype(np.float32)


def close_pairs(
    queries: Hashes, hashes: Hashes, radius: int, *, both: bool = False
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """All pairs of two photos whose hashes differ in few bits: exact, by comparing all with all.

    Args:
        queries: uint64 [N].
        hashes: uint64 [N], of the same photos.
        radius: Bits that may differ.
        both: Row i of the queries with j of the hashes is another question than j with i; else
            only pairs i < j are compared.

    Returns:
        int64 [P] twice: the rows of ``queries`` and of ``hashes``.
    """
    with ThreadPoolExecutor(cores()) as pool:  # NumPy releases the interpreter's lock
        compare = _comparer(queries, hashes, radius, both)
        parts = list(pool.map(compare, range(0, len(queries), _ROWS)))
    pairs = [pair for part in parts for pair in part]
    if not pairs:
        return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64)
    first, second = (np.concatenate(side) for side in zip(*pairs, strict=True))
    return first, second


_Pairs = list[tuple[NDArray[np.int64], NDArray[np.int64]]]


def _comparer(queries: Hashes, hashes: Hashes, radius: int, both: bool) -> Callable[[int], _Pairs]:
    def compare(start: int) -> _Pairs:
        found: _Pairs = []
        rows = queries[start : start + _ROWS, None]
        for begin, part in _columns(hashes, 0 if both else start):
            near = np.bitwise_count(rows ^ part[None]) <= radius
            if not near.any():
                continue
            i, j = np.nonzero(near)
            i, j = i + start, j + begin
            keep = i != j if both else i < j
            if keep.any():
                found.append((i[keep], j[keep]))
        return found

    return compare


def _columns(hashes: Hashes, start: int) -> Iterator[tuple[int, Hashes]]:
    for begin in range(start, len(hashes), _COLUMNS):
        yield begin, hashes[begin : begin + _COLUMNS]
