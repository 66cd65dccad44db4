"""``osprey leaderboard``, ``retrain`` and ``reproduce``: the real commands."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import Result, only_run
from hypothesis import given
from hypothesis import strategies as st

from osprey.runs.again import replaced
from osprey.sweeping.charts import pareto
from osprey.sweeping.leaderboard import half_width, not_told_apart
from osprey.sweeping.rows import Board, Row, boards_of, read_rows
from osprey.tasks.specs import MetricSpec

METRIC = MetricSpec("macro_f1", "macro-F1")


def test_the_leaderboard_of_run_folders(
    two: tuple[Path, Path], osprey: Callable[..., Result]
) -> None:
    (two[1].parent / "begun").mkdir()
    (two[1].parent / "begun" / "config.yaml").write_text("monitor: null\n")
    result = osprey("leaderboard")
    assert result.code == 0, result.err
    lines = result.out.splitlines()
    assert lines[0].startswith("2 runs on ") and lines[0].endswith("validation macro-F1:")
    assert lines[2].split()[0] == "1" and lines[2].endswith("optimizer.lr=0.01  runs/set/one")
    assert lines[3].split()[1] == "0.100" and lines[3].endswith("optimizer.lr=0.02  runs/set/other")
    assert "not finished (1):" in lines
    assert any(line.startswith("again:  osprey train data=folder") for line in lines)
    assert osprey("leaderboard", "--limit", "1").out.count("runs/set/o") == 1


def test_the_page_of_a_leaderboard(two: tuple[Path, Path], osprey: Callable[..., Result]) -> None:
    result = osprey("leaderboard", "--html")
    assert result.out.endswith("page    runs/leaderboard.html\n")
    page = Path("runs/leaderboard.html").read_text()
    assert "osprey train data=folder" in page and "2 runs finished; under a minute in all." in page
    assert "optimizer.lr=0.02" in page and "<svg" in page
    assert not re.search(r"(src|href)=", page)
    assert osprey("leaderboard", "--html").code == 0  # its own may be written again
    Path("mine.html").write_text("mine")
    refused = osprey("leaderboard", "--html", "mine.html")
    assert refused.code == 2 and "mine.html" in refused.err
    assert Path("mine.html").read_text() == "mine"
    assert osprey("leaderboard", "--html", "mine.html", "--force").code == 0
    nowhere = osprey("leaderboard", "--html", "no/mine.html")
    assert nowhere.err == "osprey leaderboard: --html: there is no folder 'no' to write to\n"


@given(st.lists(st.tuples(st.integers(1, 9), st.integers(0, 9)), min_size=1, max_size=12))
def test_the_front_holds_what_nothing_beats(points: list[tuple[int, int]]) -> None:
    costs, values = zip(*points, strict=True)
    found = {points[n] for n in pareto(costs, values, higher=True)}
    beaten = {p for p in points if any(q != p and q[0] <= p[0] and q[1] >= p[1] for q in points)}
    assert found == set(points) - beaten


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["leaderboard", "nowhere"],
            "there is no folder 'nowhere': name a sweep's, or that of your",
        ),
        (["leaderboard", "runs/set/one/plots"], "there is no run under 'runs/set/one/plots'"),
        (["leaderboard", "--limit", "0"], "argument --limit: 0 is out of range (at least 1)"),
        (
            ["retrain", "seed=1"],
            "'seed=1' stands where a run should: osprey retrain RUN [key=value",
        ),
        (["retrain", "set/on"], "there is no run 'set/on'; did you mean 'set/one'?"),
        (["reproduce", "set/on"], "there is no run 'set/on'; did you mean 'set/one'?"),
    ],
)
def test_mistakes_are_one_line(
    two: tuple[Path, Path], osprey: Callable[..., Result], words: list[str], message: str
) -> None:
    (two[0] / "plots").mkdir(exist_ok=True)
    result = osprey(*words)
    assert result.code == 2
    assert message in result.err and result.err.count("\n") == 1


def test_a_run_is_trained_again_with_changes(
    trained: Path, here: Path, osprey: Callable[..., Result]
) -> None:
    run = only_run(trained)
    result = osprey("retrain", run, "trainer.max_epochs=1", "seed=3")
    assert result.code == 0, result.err
    first = result.out.splitlines()[0]
    assert first.startswith("again   osprey train data=folder data.root=/")
    assert first.endswith("trainer.max_epochs=1 seed=3")
    words = (only_run(here) / "overrides.txt").read_text().splitlines()
    assert "trainer.max_epochs=1" in words and "trainer.max_epochs=2" not in words
    assert osprey("retrain", "--help").code == 0


def test_a_run_is_reproduced_to_the_last_digit(
    trained: Path, here: Path, photos: Path, osprey: Callable[..., Result]
) -> None:
    run = only_run(trained)
    result = osprey("reproduce", run, "--check")
    assert result.code == 0, result.err + result.out
    assert "photos   the same, byte for byte\n" in result.out
    assert result.out.endswith("reproduced, to the last digit\n")


def test_what_is_not_as_then_is_said(
    two: tuple[Path, Path], photos: Path, tmp_path: Path, osprey: Callable[..., Result]
) -> None:
    run = two[0]
    moved = tmp_path / "moved"
    shutil.copytree(photos, moved)
    first = next(moved.rglob("*.png"))
    first.write_bytes(first.read_bytes() + b"x")
    config = (run / "config.yaml").read_text()
    (run / "config.yaml").write_text(config.replace(str(photos), str(moved)))
    about = json.loads((run / "environment.json").read_text())
    about |= {"git_commit": "0" * 40, "git_patch": "a\nb\n"}
    about["packages"]["torch"] = "1.0"
    (run / "environment.json").write_text(json.dumps(about))
    out = osprey("reproduce", run).out
    assert "code     commit 000000000000; here is " in out and "git checkout 000000000000" in out
    assert "patch    Osprey: 2 lines not committed" in out
    assert "torch 1.0 (here " in out
    assert f"photos   1 photo missing or changed: {first.relative_to(moved)}" in out


# ------------------------------------------------------------------ figures


def row(*values: float, state: str = "complete") -> Row:
    return Row(state, (f"seed={len(values)}",), (), METRIC, values)


def test_seeds_that_overlap_are_not_told_apart() -> None:
    board = Board(METRIC, "", [row(0.90, 0.94, 0.92), row(0.91, 0.89, 0.93), row(0.50, 0.51, 0.52)])
    assert not_told_apart(board) == [False, True, False]
    # Student's t with two degrees of freedom: 4.303 standard errors.
    assert half_width((0.90, 0.94, 0.92)) == pytest.approx(4.303 * 0.02 / 3**0.5, rel=1e-3)
    assert half_width((0.9,)) is None


def test_lower_is_better_where_it_is() -> None:
    loss = MetricSpec("loss", "loss", higher_is_better=False)
    rows = [Row("complete", (), (), loss, (value,)) for value in (0.3, 0.1, float("nan"))]
    (board,) = boards_of(rows)
    assert [found.value for found in board.rows] == [0.1, 0.3]


def test_a_damaged_run_is_no_traceback(two: tuple[Path, Path]) -> None:
    (two[0] / "summary.json").write_text("{")
    (two[1] / "overrides.txt").write_bytes(b"\xff\xfe")
    assert sorted(found.state for found in read_rows(Path("runs"))) == ["complete", "unfinished"]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        (["seed=2"], ["model=resnet18", "model.drop=0.1", "seed=2"]),
        (["model=vit_small"], ["seed=1", "model=vit_small"]),
        (["+model.drop=0.2"], ["model=resnet18", "seed=1", "+model.drop=0.2"]),
        ([], ["model=resnet18", "model.drop=0.1", "seed=1"]),
        (
            ["--config-dir", "b"],
            ["model=resnet18", "model.drop=0.1", "seed=1", "--config-dir", "b"],
        ),
    ],
)
def test_what_is_said_anew_takes_the_place_of_the_old(
    changes: list[str], expected: list[str]
) -> None:
    assert replaced(["model=resnet18", "model.drop=0.1", "seed=1"], changes) == expected
