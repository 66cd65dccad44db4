"""What a run says on the terminal: a few lines before, one an epoch, and what to do next."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

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
    numbers = [f"{label} {counts['train'].get(label, 0)}" for label in manifest.classes]
    shown = ", ".join(numbers[:20]) + (f" and {len(numbers) - 20} more" if numbers[20:] else "")
    say(f"train   {shown}")
    if unreadable:
        say(f"left out, cannot be read: {unreadable} files, listed in unreadable.csv")
    for notice in notices:
        say(notice)


def metrics_line(values: Mapping[str, float], n: int) -> str:
    """The headline figures of one split."""
    top5 = f", top-5 {values['top5']:.3f}" if "top5" in values else ""
    return (
        f"top-1 {values['top1']:.3f}{top5}, macro-F1 {values['macro_f1']:.3f}, "
        f"log loss {values['log_loss']:.3f}, ECE {values['ece']:.3f} (n={n})"
    )


_WHOLE = 20  # classes that are all shown
_EXTREMES = 8  # of more, the worst and the best


def per_class_table(rows: Sequence[Mapping[str, Any]]) -> None:
    """Precision, recall and F1 of each class with its n; of many classes the extremes."""
    width = max(5, *(len(row["label"]) for row in rows))
    say(f"{'class':<{width}}      n  precision  recall     F1")
    left_out = len(rows) - 2 * _EXTREMES
    if len(rows) > _WHOLE:
        ranked = sorted(rows, key=lambda row: (row["f1"], row["label"]))
        rows = [*ranked[:_EXTREMES], {}, *ranked[-_EXTREMES:]]
    for row in rows:
        if not row:
            say(f"... {left_out} classes between the worst and the best ...")
            continue
        say(
            f"{row['label']:<{width}} {row['n']:>6}  {row['precision']:>9.3f}  "
            f"{row['recall']:>6.3f}  {row['f1']:>5.3f}"
        )


def epochs_table(rows: Sequence[Mapping[str, str]], best: int) -> None:
    """The best epoch beside the last, from the rows of metrics.csv."""
    shown = {"best": rows[best - 1], "last": rows[-1]}
    say("epoch         loss  macro-F1  top-1  log loss")
    for name, row in shown.items():
        figures = [row.get(f"val/{key}") or "nan" for key in ("macro_f1", "top1", "log_loss")]
        f1, top1, loss = map(float, figures)
        say(
            f"{name} {row['epoch']:>4} {float(row['train/loss']):>8.4f}  {f1:>8.3f}  "
            f"{top1:>5.3f}  {loss:>8.3f}"
        )
