"""What a detector's figures say where there is little, or too much, to count."""

from __future__ import annotations

import numpy as np
import pytest

from osprey.imaging.boxes import Detections
from osprey.tasks.detection.class_table import print_table
from osprey.tasks.detection.metrics import compute_metrics
from osprey.tasks.detection.outputs import BoxOutputs
from osprey.tasks.registry import get_task


def squares(count: int) -> Detections:
    """So many boxes side by side, of the first class."""
    low = np.arange(count, dtype=np.float32)[:, None] * np.float32([12, 0])
    corners = np.concatenate([low, low + 10], axis=1).astype(np.float32)
    return Detections(corners, np.ones(count, np.float32), np.zeros(count, np.int64))


def figures_of(*counts: int) -> dict[str, object]:
    photos = [squares(count) for count in counts]
    names = [f"{number}.jpg" for number in range(len(photos))]
    return compute_metrics(BoxOutputs(names, photos, photos), [0.5, 0.5], ["cod", "eel"])


def test_boxes_beyond_what_ap_counts_are_told_beside_it() -> None:
    line = get_task("detection").metrics_line(figures_of(130, 100))
    assert line.startswith("AP50 0.861"), "a perfect answer cannot have more"
    assert line.endswith(
        "(n=2 photos, 230 boxes, 30 of them beyond the 100 of a class and photo that AP counts)"
    )
    assert get_task("detection").metrics_line(figures_of(100)).endswith("(n=1 photo, 100 boxes)")


def test_nothing_is_known_of_a_class_without_boxes(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(figures_of(3)["per_class"])  # type: ignore[arg-type]
    assert capsys.readouterr().out.splitlines() == [
        "class      n   AP50     AP  thresh.  prec.  recall     F1",
        "cod        3  1.000  1.000     0.50  1.000   1.000  1.000",
        "eel        0      –      –     0.50      –       –      –",
    ]
