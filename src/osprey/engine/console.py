"""Terminal output of a run: data, epochs, rewrites."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from osprey.system.console import counted, say
from osprey.tasks.by_source import BY_SOURCE

if TYPE_CHECKING:
    from osprey.data.manifest import Manifest
    from osprey.tasks.plugin import MetricSpec


def describe_data(
    name: str,
    manifest: Manifest,
    unreadable: int,
    notices: Sequence[str],
    more: Sequence[str] = (),
) -> None:
    """Print counts per split and class, and what was left out.

    Args:
        name: Name of the data set.
        manifest: Its samples, split.
        unreadable: Number of files left out.
        notices: Warnings.
        more: Lines of the task.
    """
    from osprey.data.manifest import SPLITS

    counts = manifest.counts()
    totals = ", ".join(f"{split} {sum(counts[split].values())}" for split in SPLITS)
    groups = manifest.table["group"].nunique()
    classes = counted(len(manifest.classes), "class")
    by = f", {counted(groups, 'group')}" if manifest.has_groups else ""
    say(f"data    {name}: {totals} photos of {classes}{by}")
    for line in more:
        say(line)
    counts = manifest.target.counts(manifest)
    numbers = [f"{label} {counts['train'].get(label, 0)}" for label in manifest.classes]
    shown = ", ".join(numbers[:20]) + (f" and {len(numbers) - 20} more" if numbers[20:] else "")
    say(f"train   {shown}")
    if unreadable:
        say(f"left out, cannot be read: {counted(unreadable, 'file')}, listed in unreadable.csv")
    for notice in notices:
        say(notice)


def epochs_table(
    rows: Sequence[Mapping[str, str]], best: int, metrics: Sequence[MetricSpec]
) -> None:
    """Print the best and the last epoch.

    Args:
        rows: Rows of metrics.csv.
        best: Number of the best epoch, from 1.
        metrics: The metrics to show.
    """
    shown = {"best": rows[best - 1], "last": rows[-1]}
    metrics = [metric for metric in metrics if any(row.get(metric.logged) for row in rows)]
    say("epoch         loss" + "".join(f"  {m.name:>5}" for m in metrics))
    for name, row in shown.items():
        figures = "".join(
            f"  {float(row.get(m.logged) or 'nan'):>{max(5, len(m.name))}{m.format}}"
            for m in metrics
        )
        loss = float(row.get("train/loss") or row.get("train_loss") or "nan")
        say(f"{name} {row['epoch']:>4} {loss:>8.4f}{figures}")


def print_rewrites(done: Sequence[str]) -> None:
    """Print the applied rewrites of ``trainer.rewrites`` in one line, if any."""
    if done:
        say(f"rewrites {', '.join(done)}")


def print_sources(figures: Mapping[str, Any], line: Callable[[Mapping[str, Any]], str]) -> None:
    """Print the figures of each source of a join; nothing where there is one data set.

    Args:
        figures: Of a split.
        line: The task's words for figures.
    """
    found = figures.get(BY_SOURCE, {})
    width = max((len(name) for name in found), default=0)
    for name, own in found.items():
        say(f"  {name:<{width}}  {line(own)}")


def print_remarks(remarks: Mapping[str, str]) -> None:
    """Print what a task remarks on a result, each line after its word; empty ones are none."""
    for word, line in remarks.items():
        if line:
            say(f"{word:<7} {line}")
