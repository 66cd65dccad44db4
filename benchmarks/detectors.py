"""The committed recipes of detection: minutes and AP50. Not part of ``make bench``."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any, cast

from common import Row, finish, real_data, row
from probe import train


def ap50(summary: dict[str, object]) -> float:
    return float(cast("dict[str, Any]", summary["test"])["ap50"])


def harbour(folder: Path) -> list[Row]:
    few = ("trainer.max_epochs=1", "trainer.limit_train_batches=2", "trainer.limit_eval_batches=1")
    train(folder, "experiment=harbour_fish", *few)  # renders the photos
    seconds, summary = train(folder, "experiment=harbour_fish")
    return [
        row("harbour, one class, from nothing", [seconds / 60], "min", 3, at_most=True),
        row("harbour, one class, test AP50", [ap50(summary)], "AP50", 0.9),
    ]


def blood_cells(folder: Path) -> list[Row]:
    real_data("blood_cells")
    seconds, summary = train(folder, "experiment=blood_cells")
    note = "0.80 asked, 0.84 hoped for"
    return [
        row(
            "blood cells, from the command to the tested model",
            [seconds / 60],
            "min",
            20,
            at_most=True,
        ),
        row("blood cells, test AP50", [ap50(summary)], "AP50", 0.8, note=note),
    ]


def main(names: list[str]) -> list[Row]:
    known = {"harbour": harbour, "blood_cells": blood_cells}
    with tempfile.TemporaryDirectory() as name:
        return [found for key in names or known for found in known[key](Path(name))]


if __name__ == "__main__":
    finish(main(sys.argv[1:]))
