"""Equal parts by several columns at once, such as the attributes of a photo, or several labels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array, csr_array

from osprey.data.manifest import Manifest
from osprey.errors import DataError, nearest

SEPARATOR = ";"  # between the names of a cell that has several
_BOXES = "boxes"  # the column whose names are the classes of a photo's boxes


def names_of(manifest: Manifest, column: str) -> list[list[str]]:
    """The names that each photo has in a column; none where it is blank, as that is not known.

    Args:
        manifest: The samples.
        column: A column of its table; a cell may hold several names, as ``tuna;shark``. ``boxes``:
            the classes of the photo's boxes.

    Raises:
        DataError: There is no such column, or its cells are no names of kinds.
    """
    table = manifest.table
    if column not in table.columns:
        hint = nearest(column, map(str, table.columns))
        have = ", ".join(map(str, table.columns))
        raise DataError(
            f"data.stratify: there is no column '{column}'{hint or f' (columns: {have})'}"
        )
    if column == _BOXES:
        return [sorted({box[0] for box in boxes}) for boxes in manifest.box_lists]
    cells = table[column].fillna("").astype(str)
    found = [[name.strip() for name in cell.split(SEPARATOR)] for cell in cells]
    names = [sorted({name for name in each if name}) for each in found]
    kinds = {name for each in names for name in each}
    if len(kinds) > max(2, len(names) / 2):
        raise DataError(
            f"data.stratify: '{column}' has {len(kinds)} values on {len(names)} photos: nearly "
            "each has its own, so there is nothing to share out evenly"
        )
    return names


def deal(
    pieces: NDArray[np.int64], columns: Sequence[Sequence[Sequence[str]]], count: int, seed: int
) -> NDArray[np.int64]:
    """Number samples 0..count-1 so that each part has its share of every name of every column.

    Iterative stratification (Sechidis et al. 2011), of whole pieces: the rarest name that is left
    is shared out first, each piece to the part that lacks most of it.

    Args:
        pieces: int64 [N], 0..U-1, the piece that each sample belongs to; a piece stays whole.
        columns: Of each column, the names of each of the N samples.
        count: Parts, at least 1.
        seed: Breaks ties.

    Returns:
        int64 [N].
    """
    draw = np.random.default_rng(seed)
    sizes = np.bincount(pieces).astype(float)
    have = _counts(pieces, columns, len(sizes))
    by_name, by_piece = have.tocsc(), have.tocsr()
    lacks = np.tile(np.asarray(have.sum(axis=0)).ravel() / count, (count, 1))
    room = np.full(count, sizes.sum() / count)
    part = np.full(len(sizes), -1, dtype=np.int64)
    luck = draw.permutation(len(sizes))

    def give(piece: int, wanted: NDArray[np.float64]) -> None:
        chosen = int(np.lexsort((draw.random(count), -room, -wanted))[0])
        part[piece] = chosen
        room[chosen] -= sizes[piece]
        row = slice(by_piece.indptr[piece], by_piece.indptr[piece + 1])
        lacks[chosen, by_piece.indices[row]] -= by_piece.data[row]

    left = np.asarray(have.sum(axis=0)).ravel()
    while left.size and left.max() > 0:
        name = int(np.where(left > 0, left, np.inf).argmin())
        column = slice(by_name.indptr[name], by_name.indptr[name + 1])
        of_name, amounts = by_name.indices[column], by_name.data[column]
        free = part[of_name] < 0
        order = np.lexsort((luck[of_name[free]], -amounts[free]))  # the largest pieces first
        for piece in of_name[free][order].tolist():
            give(piece, lacks[:, name])
        taken = of_name[free]
        left = left - np.asarray(by_piece[taken].sum(axis=0)).ravel() if len(taken) else left
        left[name] = 0
    for piece in np.flatnonzero(part < 0)[np.argsort(-sizes[part < 0], kind="stable")].tolist():
        give(piece, np.zeros(count))
    return part[pieces]


def _counts(
    pieces: NDArray[np.int64], columns: Sequence[Sequence[Sequence[str]]], total: int
) -> csr_array:
    """How many samples of each piece have each name, [U, names of all columns]."""
    numbers: dict[tuple[int, str], int] = {}
    rows, places = [], []
    for number, column in enumerate(columns):
        for piece, names in zip(pieces.tolist(), column, strict=True):
            for name in names:
                rows.append(piece)
                places.append(numbers.setdefault((number, name), len(numbers)))
    shape = (total, len(numbers))
    return coo_array((np.ones(len(rows)), (rows, places)), shape=shape).tocsr()
