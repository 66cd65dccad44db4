"""The classes of a tested detector, as a table on the terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from osprey.system.console import say_classes


def print_table(rows: Sequence[Mapping[str, Any]]) -> None:
    """Print AP and metrics at the threshold of each class; of many classes the extremes.

    Args:
        rows: ``per_class`` of `plain_metrics`.
    """
    say_classes(rows, "ap50", 52, " AP50     AP  thresh.  prec.  recall     F1", _cells)


def _cells(row: Mapping[str, Any]) -> str:
    figures = f"{_three(row['ap50'])}  {_three(row['ap'])}  {row['threshold']:>7.2f}"
    return f"{figures}  {_at_threshold(row)}"


def _at_threshold(row: Mapping[str, Any]) -> str:
    """Precision, recall and F1: of a class without boxes to find nothing is known."""
    known = row["n"] > 0
    precision, recall, f1 = (row[k] if known else None for k in ("precision", "recall", "f1"))
    return f"{_three(precision)}   {_three(recall)}  {_three(f1)}"


def _three(value: float | None) -> str:
    return "    –" if value is None else f"{value:>5.3f}"
