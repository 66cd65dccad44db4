"""What a run says on the terminal: a few lines before, one an epoch, and what to do next."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from osprey.tasks.measures import Measures

if TYPE_CHECKING:
    from osprey.data.manifest import Manifest


def say(line: str = "") -> None:
    """Print a line at once, also into a pipe."""
    print(line, flush=True)


def warn(line: str) -> None:
    """Print a line on standard error at once."""
    print(line, file=sys.stderr, flush=True)


def describe_data(name: str, manifest: Manifest, unreadable: int, notices: Sequence[str]) -> None:
    """Counts per split and class, and what was left out."""
    from osprey.data.manifest import SPLITS

    counts = manifest.counts()
    totals = ", ".join(f"{split} {sum(counts[split].values())}" for split in SPLITS)
    groups = manifest.table["group"].nunique()
    by = f", {groups} groups" if manifest.has_groups else ""
    say(f"data    {name}: {totals} photos of {len(manifest.classes)} classes{by}")
    if manifest.is_detection:
        counts = manifest.box_counts()
        boxes = ", ".join(f"{split} {sum(counts[split].values())}" for split in SPLITS)
        say(f"boxes   {boxes}")
    numbers = [f"{label} {counts['train'].get(label, 0)}" for label in manifest.classes]
    shown = ", ".join(numbers[:20]) + (f" and {len(numbers) - 20} more" if numbers[20:] else "")
    say(f"train   {shown}")
    if unreadable:
        say(f"left out, cannot be read: {unreadable} files, listed in unreadable.csv")
    for notice in notices:
        say(notice)


_WHOLE = 20  # classes that are all shown
_EXTREMES = 8  # of more, the worst and the best


def some_of(rows: Sequence[Mapping[str, Any]], key: str) -> list[Mapping[str, Any] | str]:
    """All rows, or of many classes the worst and the best by ``key`` with a line between them."""
    if len(rows) <= _WHOLE:
        return list(rows)
    ranked = sorted(rows, key=lambda row: (row[key] or 0.0, row["label"]))
    between = f"... {len(rows) - 2 * _EXTREMES} classes between the worst and the best ..."
    return [*ranked[:_EXTREMES], between, *ranked[-_EXTREMES:]]


def epochs_table(rows: Sequence[Mapping[str, str]], best: int, measures: Measures) -> None:
    """The best epoch beside the last, from the rows of metrics.csv."""
    shown = {"best": rows[best - 1], "last": rows[-1]}
    say("epoch         loss" + "".join(f"  {name:>5}" for name in measures.shown.values()))
    for name, row in shown.items():
        figures = "".join(
            f"  {float(row.get(f'val/{key}') or 'nan'):>{max(5, len(head))}.3f}"
            for key, head in measures.shown.items()
        )
        say(f"{name} {row['epoch']:>4} {float(row['train/loss']):>8.4f}{figures}")
