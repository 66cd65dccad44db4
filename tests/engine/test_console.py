"""What stands on the terminal when a run is done."""

from __future__ import annotations

import pytest

from osprey.engine.console import epochs_table
from osprey.system.console import some_of
from osprey.tasks.registry import get_task


def rows(count: int) -> list[dict[str, object]]:
    return [
        {"label": f"c{i:02d}", "n": i, "precision": 1.0, "recall": 1.0, "f1": i / count}
        for i in range(count)
    ]


def test_of_many_classes_the_extremes(capsys: pytest.CaptureFixture[str]) -> None:
    get_task("classification").per_class_table(rows(20))
    assert len(capsys.readouterr().out.splitlines()) == 21
    get_task("classification").per_class_table(rows(21))
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].startswith("c00") and lines[-1].startswith("c20")
    assert lines[9] == "... 5 classes between the worst and the best ..."
    assert len(lines) == 18
    shown = some_of(rows(30), "n", "values between the rarest and the commonest")
    assert shown[8] == "... 14 values between the rarest and the commonest ..."


def test_best_beside_last(capsys: pytest.CaptureFixture[str]) -> None:
    table = [
        {"epoch": str(e), "train/loss": f"{1 / e}", "val/macro_f1": f1, "val/top1": "0.5"}
        for e, f1 in ((1, "0.25"), (2, "0.75"), (3, "0.5"))
    ]
    table[0]["val/log_loss"] = "0.9"  # a figure that neither of the two epochs has
    epochs_table(table, 2, get_task("classification").metrics)
    assert capsys.readouterr().out.splitlines()[1:] == [
        "best    2   0.5000     0.750  0.500       nan",
        "last    3   0.3333     0.500  0.500       nan",
    ]
