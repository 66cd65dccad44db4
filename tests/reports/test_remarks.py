"""What a report remarks of itself: nothing of a few photos, and what stands in many."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from fake_box_run import make_box_run
from fake_run import make_run
from test_report import Page

from osprey.reports.run_record import read_run
from osprey.tasks.detection.report.record import read
from osprey.tasks.detection.report.repeats import repeats
from osprey.tasks.reporting import build_report

UNLIKE = "the test photos are unlike those of validation"
FEW = "too few photos to judge calibration by"


def classifier(folder: Path, n: int, *, val: int | None = None, worse: float = 0.5) -> str:
    """The words of a report whose temperature made test's log loss worse."""
    run = make_run(folder, ["a", "b"], n)
    summary = json.loads((run / "summary.json").read_text())
    summary["test"]["log_loss"] = summary["test"]["uncalibrated"]["log_loss"] + worse
    summary["val"]["n"] = n if val is None else val
    (run / "summary.json").write_text(json.dumps(summary))
    return Page(build_report(run).read_text(encoding="utf-8")).flat


@pytest.mark.parametrize(
    ("n", "val", "unlike", "few"),
    [(9, 9, False, True), (99, 200, False, True), (200, 9, False, False), (200, 200, True, False)],
)
def test_calibration_and_shift_regard_n(
    n: int, val: int, unlike: bool, few: bool, tmp_path: Path
) -> None:
    said = classifier(tmp_path / "run", n, val=val)
    assert (UNLIKE in said, FEW in said) == (unlike, few)
    assert ("too sure of itself" in said) == (val >= 100)
    assert ("too few to promise anything" in said) == (val < 100 and n >= 10)


def test_nine_photos_promise_nothing(tmp_path: Path) -> None:
    said = classifier(tmp_path / "run", 9)
    assert "fitted on 9 photos of validation: few" in said
    assert "no threshold keeps it" not in said and "90% right" not in said


def test_a_better_test_split_is_not_remarked(tmp_path: Path) -> None:
    assert UNLIKE not in classifier(tmp_path / "run", 200, worse=0.0)


def test_the_same_false_alarm_in_many_photos_is_remarked(tmp_path: Path) -> None:
    run = make_box_run(tmp_path / "run", ["cod", "ling"], 40, false_alarms=0.2)
    assert repeats(read(read_run(run))) == []
    assert "The same false alarm" not in build_report(run).read_text(encoding="utf-8")
    with (run / "predictions.csv").open("a") as file:
        for photo in range(20, 32):
            # Outside of where the made-up subjects are.
            file.write(f"test/{photo:05d}.jpg,cod,0.99,{380 + photo % 2},270,18,28\n")
    (row,) = repeats(read(read_run(run)))
    assert row.pop("x") in (380, 381)
    assert row == {"label": "cod", "photos": 12, "y": 270, "w": 18, "h": 28}
    said = Page(build_report(run).read_text(encoding="utf-8")).flat
    assert "The same false alarm in 12 photos: cod at x 38" in said


def test_slices_of_single_photos_are_one(tmp_path: Path) -> None:
    films = [f"film {i}" if i < 6 else f"film {i % 3}" for i in range(30)]
    columns = {"film": films, "frame": [f"frame {i}" for i in range(30)]}
    run = make_run(tmp_path / "run", ["a", "b"], 30, **columns)
    said = Page(build_report(run).read_text(encoding="utf-8")).flat
    assert "others (3 values, of one photo each)" in said
    assert "film: film 3" not in said and "film: film 2" in said
    assert "a value of its own: frame." in said


def test_training_again_names_what_was_tuned(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", ["a", "b"], 20)
    words = ["data=folder", "trainer.compile=false", "trainer.precision=auto"]
    (run / "overrides.txt").write_text("\n".join(words) + "\n")
    choice = {"precision": "bf16-mixed", "channels_last": True, "compile": True}
    (run / "autotune.json").write_text(json.dumps({"choice": choice}))
    said = Page(build_report(run).read_text(encoding="utf-8")).flat
    tuned = "trainer.precision=bf16-mixed trainer.channels_last=true"
    assert f"osprey train data=folder trainer.compile=false {tuned} Copy" in said
