"""What a check found, and what it binds together or gives up for the fixed manifest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong, or worth a look.

    Attributes:
        key: Its name in doctor.json, such as ``copies_across_splits``.
        title: In a few words, such as ``exact copies across splits``.
        count: How many there are.
        unit: What is counted, such as ``photo``.
        advice: What to do, one sentence.
        detail: One line with the particulars.
        grave: Training goes wrong or figures flatter; else it is worth a look.
        sets: Rows of photos that are shown side by side.
        captions: A line below a photo, by row.
        drop: Why a row cannot be trained on, for the fixed manifest.
        together: Rows that must share a split, each with why, for the fixed manifest.
        rows: Lines of a table, the first its headings.
    """

    key: str
    title: str
    count: int
    unit: str
    advice: str
    detail: str = ""
    grave: bool = True
    sets: Sequence[Sequence[int]] = ()
    captions: Mapping[int, str] = field(default_factory=dict)
    drop: Mapping[int, str] = field(default_factory=dict)
    together: Sequence[tuple[Sequence[int], str]] = ()
    rows: Sequence[Sequence[str]] = ()


def joined(count: int, pairs: Sequence[tuple[int, int]]) -> list[list[int]]:
    """Sets of rows that pairs join, directly or through others.

    Args:
        count: Rows there are.
        pairs: Of rows.

    Returns:
        Sets of two or more rows, in order.
    """
    if not pairs:
        return []
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    ends = np.array(pairs, dtype=np.int64).T
    links = coo_array((np.ones(len(pairs), dtype=np.int8), (ends[0], ends[1])), shape=(count,) * 2)
    part = connected_components(links, directed=False)[1]
    return sets_of(part.astype(np.int64), np.unique(ends))


def sets_of(parts: NDArray[np.int64], rows: NDArray[np.int64]) -> list[list[int]]:
    """Rows by the part they belong to, where there are two or more.

    Args:
        parts: int64 [N], the part of every row.
        rows: int64 [M], the rows that count.
    """
    found: dict[int, list[int]] = {}
    for row in rows.tolist():
        found.setdefault(int(parts[row]), []).append(row)
    return [found[key] for key in sorted(found, key=lambda key: found[key][0]) if found[key][1:]]
