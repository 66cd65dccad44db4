"""Statistics of every report: intervals, slices by the manifest's columns."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from osprey.reports.run_record import Ints

FEW = 30  # photos below which a slice's metrics are unreliable
_MOST_SLICES = 50  # values of a column that are shown one by one
_SINGLES = 3  # values of one photo from which they are one slice: such as a film's frames
_OWN = 0.8  # distinct values per photo from which a column only identifies photos
_NO_SLICE = {"path", "split", "label", "weight", "sha256"}


def wilson(right: int, n: int) -> tuple[float, float]:
    """95% interval of a proportion (Wilson 1927).

    Args:
        right: Number of successes.
        n: Number of trials.

    Returns:
        Lower and upper bound; 0 and 1 for ``n`` 0.
    """
    if n == 0:
        return 0.0, 1.0
    z = 1.959964
    share, extra = right / n, z * z / n
    centre = (share + extra / 2) / (1 + extra)
    half = z / (1 + extra) * (share * (1 - share) / n + extra / (4 * n)) ** 0.5
    return max(0.0, centre - half), min(1.0, centre + half)


@dataclass(frozen=True)
class Slicing:
    """One column of the manifest, for the split shown.

    Of many values the 50 most frequent are kept, and those of a single photo are put together; the
    last one then stands for all ``others``.

    Attributes:
        name: The column.
        values: Its values.
        codes: int64 [N], each photo's index into ``values``.
        others: How many values the last one stands for; 0 if none.
    """

    name: str
    values: list[str]
    codes: Ints
    others: int = 0


def slicings(
    manifest: pd.DataFrame, split: str, paths: Sequence[str], own: Collection[str] = ()
) -> tuple[list[Slicing], list[str]]:
    """Every column with 2 or more values among the photos shown, in the manifest's order.

    Args:
        manifest: Every sample, all columns as text.
        split: The split shown.
        paths: Its N photos.
        own: Further columns that are not slices.

    Returns:
        The slicings, and names of columns left out because nearly every photo has its own value.
    """
    if manifest.empty:
        return [], []
    part = manifest[manifest["split"] == split].drop_duplicates("path").set_index("path")
    part = part.reindex(list(paths)).fillna("")
    part = part.drop(columns=[*_NO_SLICE, *own], errors="ignore")
    found: list[Slicing] = []
    left_out: list[str] = []
    for column in part.columns:
        codes, values = pd.factorize(part[column], sort=True)
        if len(values) > max(_MOST_SLICES, _OWN * len(codes)):
            left_out.append(str(column))
            continue
        slicing = _largest(str(column), [str(v) for v in values], codes.astype(np.int64))
        twin = any(np.array_equal(slicing.codes, other.codes) for other in found)
        if len(values) >= 2 and len(slicing.values) < 2:
            left_out.append(str(column))  # every value is of a single photo
        elif len(values) >= 2 and not twin:
            found.append(slicing)
    return found, left_out


def _largest(name: str, values: list[str], codes: Ints) -> Slicing:
    """The largest values, and the others together; of equals those that come first."""
    counts = np.bincount(codes, minlength=len(values))
    order = np.argsort(-counts, kind="stable")[:_MOST_SLICES]
    if (counts == 1).sum() >= _SINGLES:
        order = order[counts[order] > 1]
    others = len(values) - len(order)
    if not others:
        return Slicing(name, values, codes)
    kept = np.sort(order)
    places = np.full(len(values), len(kept), dtype=np.int64)
    places[kept] = np.arange(len(kept))
    single = ", of one photo each" if counts.max(where=places == len(kept), initial=0) == 1 else ""
    names = [*(values[i] for i in kept), f"others ({others} values{single})"]
    return Slicing(name, names, places[codes], others)
