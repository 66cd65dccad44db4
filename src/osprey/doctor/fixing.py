"""The fixed manifest: unsafe rows dropped, or moved so that nothing straddles splits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from osprey.data.copies import with_content
from osprey.data.manifest import SPLITS, Manifest
from osprey.data.table_reader import FIXED
from osprey.doctor.finding import Finding, joined
from osprey.doctor.survey import Survey

COLUMN = FIXED  # of the fixed manifest: what was done to a row


@dataclass(frozen=True)
class Fixed:
    """A manifest without what is unsafe.

    Attributes:
        manifest: Its samples; `COLUMN` says what was done to each that was moved.
        dropped: ``{path: why}`` of those left out.
        moved: ``{path: (from, to, why)}``.
        boxes: Those that were changed or dropped, as `osprey.data.formats.mend.mend_boxes` lists
            them.
        emptied: Splits that had photos, and have none now.
    """

    manifest: Manifest
    dropped: dict[str, str]
    moved: dict[str, tuple[str, str, str]]
    boxes: pd.DataFrame
    emptied: list[str]


def fixed(survey: Survey, findings: Sequence[Finding]) -> Fixed:
    """Drop and move what the findings call unsafe.

    Photos that must share a split all go to that which most of them are in. Where that would take
    more than half of val or test away, sets that are mostly theirs go there until they are as large
    as before.

    Args:
        survey: What is known of the data set.
        findings: What was found.

    Returns:
        The new manifest; nothing is written.
    """
    drop = {row: why for finding in findings for row, why in finding.drop.items()}
    paths, split = survey.paths, survey.splits.astype(object)
    target = with_content(survey.manifest, survey.looks.digests)
    why = _why(findings, drop)
    moved: dict[str, tuple[str, str, str]] = {}
    notes = np.full(len(paths), "", dtype=object)
    bound = _bound(findings, drop, len(paths))
    for rows, to in zip(bound, _homes(split, bound), strict=True):
        for row in rows:
            if split[row] not in (to, ""):
                moved[paths[row]] = (str(split[row]), to, why.get(row, "joined to such"))
                notes[row] = f"moved from {split[row]}: {moved[paths[row]][2]}"
                split[row] = to
    table = target.table.assign(split=split.astype(str), **{COLUMN: notes.astype(str)})
    keep = np.ones(len(paths), dtype=bool)
    keep[list(drop)] = False
    kept = Manifest(target.root, table[keep].reset_index(drop=True))
    kept, boxes = kept.target.mend(kept, [])
    left = set(kept.table["split"])
    emptied = [name for name in SPLITS if name in survey.splits and name not in left]
    dropped = {paths[row]: drop[row] for row in sorted(drop)}
    return Fixed(kept, dropped, moved, boxes, emptied)


def _bound(findings: Sequence[Finding], drop: dict[int, str], count: int) -> list[list[int]]:
    """Rows that must share a split, sets with a row in common joined."""
    pairs: list[tuple[int, int]] = []
    for finding in findings:
        for rows, _ in finding.together:
            left = [row for row in rows if row not in drop]
            pairs += pairwise(left)
    return joined(count, pairs)


def _why(findings: Sequence[Finding], drop: dict[int, str]) -> dict[int, str]:
    found: dict[int, str] = {}
    for finding in findings:
        for rows, why in finding.together:
            for row in rows:
                if row not in drop:
                    found.setdefault(row, why)
    return found


def _homes(split: NDArray[np.object_], bound: Sequence[Sequence[int]]) -> list[str]:
    """The split of each set of rows that must share one."""
    counts = [Counter(str(split[row]) for row in rows if split[row]) for rows in bound]
    homes = [max(SPLITS, key=lambda name: one[name]) for one in counts]
    for name in ("test", "val"):
        before = left = int((split == name).sum())
        for one, home in zip(counts, homes, strict=True):
            left += one.total() - one[name] if home == name else -one[name]
        if left >= before / 2:
            continue
        order = sorted(
            range(len(bound)), key=lambda k: -counts[k][name] / max(1, counts[k].total())
        )
        for place in order:
            one = counts[place]
            if homes[place] == "train" and one[name] and left + one.total() <= before:
                homes[place] = name
                left += one.total()
    return homes
