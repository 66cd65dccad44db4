"""Near copies: photos saved again, mirrored, turned, or cut, found by hash and then compared."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from osprey.doctor.candidates import (
    AS_IT_IS,
    CUT,
    TURNED,
    Candidates,
    Way,
    candidates_of,
    likest,
)
from osprey.doctor.closely import SmallPhoto, same_picture, small_of
from osprey.doctor.finding import joined
from osprey.doctor.hashing import WHOLE
from osprey.imaging.deep import Range
from osprey.system.memory import cores

MANY = 20_000  # photos beyond which only whole photos, as they are, are compared unless asked
_Read = Callable[[Path], SmallPhoto | None]
_SOON = 4  # candidates of one photo that are compared before those are left out that it joined


@dataclass(frozen=True)
class NearCopy:
    """Two photos that are one picture.

    Attributes:
        first: Row of one.
        second: Row of the other.
        how: ``saved again``, ``mirrored``, ``turned``, ``turned and mirrored`` or ``cut``.
    """

    first: int
    second: int
    how: str


def near_copies(
    root: Path,
    paths: list[str],
    thumbs: NDArray[np.uint8],
    *,
    turned: bool = True,
    cut: bool = True,
    value_range: Range | None = None,
) -> list[NearCopy]:
    """Find the pairs of photos that show one picture.

    Hashes give candidates, whose thumbnails are compared; those that are alike are decoded again,
    laid over each other (ECC, Evangelidis and Psarakis 2008) and compared in their details. Of
    photos that are one picture as they are, one stands for all where mirrored, turned and cut ones
    are looked for: frames of a camera that stands still would be pairs without end.

    Args:
        root: Folder the paths are relative to.
        paths: N photos that differ in their bytes.
        thumbs: uint8 [N, 32, 32], grey.
        turned: Also those that are mirrored or turned by quarters.
        cut: Also those that are cut out of another, down to nine tenths of its sides.
        value_range: Of samples of more than 8 bits, see `osprey.imaging.decode`.

    Returns:
        The pairs, rows in order.
    """
    files = [root / path for path in paths]
    read = partial(small_of, value_range=value_range)
    found = _found(files, thumbs, [AS_IT_IS], 0, read)
    ways = [*(TURNED if turned else ()), *(CUT if cut else ())]
    if ways:
        again = {row for rows in joined(len(paths), _ends(found)) for row in rows[1:]}
        alone = np.array([row for row in range(len(paths)) if row not in again], dtype=np.int64)
        more = _found([files[row] for row in alone], thumbs[alone], [AS_IT_IS, *ways], 1, read)
        found += [NearCopy(int(alone[x.first]), int(alone[x.second]), x.how) for x in more]
    return sorted(found, key=lambda pair: (pair.first, pair.second))


def _ends(pairs: Sequence[NearCopy]) -> list[tuple[int, int]]:
    return [(pair.first, pair.second) for pair in pairs]


def _found(
    files: Sequence[Path], thumbs: NDArray[np.uint8], ways: Sequence[Way], known: int, read: _Read
) -> list[NearCopy]:
    """Pairs that are one picture in one of some ways; they join all that are.

    Args:
        files: N photos.
        thumbs: uint8 [N, 32, 32], grey.
        ways: Each pair is compared in that in which it is likest.
        known: By so many of the first no pair is one picture, as is known.
        read: Gives a file's picture.
    """
    chosen = candidates_of(thumbs, ways)
    chosen = chosen.at(chosen.way >= known)
    soon = likest(chosen.first, chosen.second, _SOON)
    found = _compared(chosen.at(soon), ways, files, read)
    part = np.arange(len(files))
    for rows in joined(len(files), _ends(found)):
        part[rows] = rows[0]
    late = ~soon & (part[chosen.first] != part[chosen.second])
    return found + _compared(chosen.at(late), ways, files, read)


def _compared(
    chosen: Candidates, ways: Sequence[Way], files: Sequence[Path], read: _Read
) -> list[NearCopy]:
    """Those of the candidates that are one picture."""
    pairs = list(zip(chosen.first.tolist(), chosen.second.tolist(), chosen.way, strict=True))
    rows = sorted({row for one, other, _ in pairs for row in (one, other)})
    with ThreadPoolExecutor(cores()) as pool:
        pictures = dict(zip(rows, pool.map(lambda row: read(files[row]), rows), strict=True))

        def same(pair: tuple[int, int, int]) -> bool:
            first, second, way = pictures[pair[0]], pictures[pair[1]], ways[pair[2]]
            return (
                first is not None
                and second is not None
                and same_picture(first, second, way.orientation, way.window)
            )

        verdicts = list(pool.map(same, pairs))
    return [
        NearCopy(min(one, other), max(one, other), _how(ways[way]))
        for (one, other, way), is_same in zip(pairs, verdicts, strict=True)
        if is_same
    ]


def _how(way: Way) -> str:
    if way.window != WHOLE:
        return "cut"
    mirrored = way.orientation.bit_count() % 2 == 1
    if way.orientation in (0, 1, 2):
        return ("saved again", "mirrored", "mirrored")[way.orientation]
    return "turned and mirrored" if mirrored else "turned"
