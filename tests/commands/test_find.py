"""``osprey find`` tries a number out, says which, and writes nowhere but into runs/find."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from conftest import TINY
from helpers import quick
from hypothesis import given
from hypothesis import strategies as st

from osprey.errors import UserError
from osprey.models.simple_cnn import SimpleCNN
from osprey.reports.line_chart import line_chart
from osprey.tuning.find_batch import BatchFigure, suggest_batch
from osprey.tuning.find_lr import suggest

RATES = [float(rate) for rate in np.geomspace(1e-6, 1, 100)]


def table(path: Path) -> list[dict[str, float]]:
    with path.open(newline="") as file:
        return [{k: float(v) for k, v in row.items()} for row in csv.DictReader(file)]


def test_find_lr(here: Path, photos: Path, osprey: Any) -> None:
    before = sorted(p.name for p in photos.rglob("*"))
    result = osprey("find", "lr", "data=folder", f"data.root={photos}", *TINY)
    assert result.code == 0, result.err
    (folder,) = (here / "runs" / "find").iterdir()
    assert sorted(p.name for p in folder.iterdir()) == ["lr.csv", "lr.png"]
    assert [p.name for p in (here / "runs").iterdir()] == ["find"], "a trial is nobody's run"
    rows = table(folder / "lr.csv")
    rates = [row["lr"] for row in rows]
    assert rates[0] == pytest.approx(1e-6) and rates == sorted(rates)
    assert rates[1] / rates[0] == pytest.approx(rates[-1] / rates[-2])
    rate = suggest(rates, [row["smooth"] for row in rows])
    assert 1e-5 < rate < 0.5
    command = result.out.splitlines()[-1].strip()
    assert command.startswith("osprey train data=folder ")
    assert command.endswith(f" optimizer.lr={rate:g}") and command.count("optimizer.lr=") == 1
    assert f"found   optimizer.lr={rate:g}; it is 0.01 now" in result.out
    picture = cv2.imread(str(folder / "lr.png"))
    assert picture is not None and picture.shape == (560, 960, 3)
    assert sorted(p.name for p in photos.rglob("*")) == before


def test_find_batch_size(
    here: Path, photos: Path, osprey: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    forward = SimpleCNN.forward

    def greedy(self: SimpleCNN, images: torch.Tensor) -> torch.Tensor:
        if len(images) > 4:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return forward(self, images)

    monkeypatch.setattr(SimpleCNN, "forward", greedy)
    result = osprey("find", "batch_size", "data=folder", f"data.root={photos}", *TINY)
    assert result.code == 0, result.err
    assert "found   data.batch_size=4, within 5% of the fastest (8 does not fit in memory)\n" in (
        result.out
    )
    assert result.out.splitlines()[-1].endswith(" data.batch_size=4")
    (folder,) = (here / "runs" / "find").iterdir()
    (row,) = table(folder / "batch_size.csv")
    assert row["batch_size"] == 4 and row["images_per_second"] > 0 and row["memory_mb"] > 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "say what to find: lr or batch_size ('osprey find --help' says more)"),
        (["rl"], "'rl' cannot be found (there are: lr, batch_size)"),
        (
            ["batchsize", "seed=1"],
            "'batchsize' cannot be found; did you mean 'batch_size'? (there are: lr, batch_size)",
        ),
        (["lr", "-m", "seed=1,2"], "find tries one configuration: it takes no -m and no resume"),
        (["lr", "resume=latest"], "find tries one configuration: it takes no -m and no resume"),
        (["lr", "optimiser.lr=1"], "unknown setting 'optimiser.lr'; did you mean 'optimizer.lr'?"),
        (["lr", "model=resnte18"], "no model called 'resnte18'; did you mean 'resnet18'?"),
        (["batch_size", "data.batch_size=0"], "data.batch_size: 0 is out of range (at least 1)"),
    ],
)
def test_mistakes_are_one_line(words: list[str], said: str, here: Path, osprey: Any) -> None:
    result = osprey("find", *words)
    assert (result.code, result.err) == (2, f"osprey find: {said}\n")
    assert not list(here.iterdir())


def test_help(osprey: Any) -> None:
    result = osprey("find", "--help")
    assert result.code == 0 and "osprey find batch_size" in result.out
    assert "osprey find " in osprey().out


@quick
@given(st.integers(20, 60), st.floats(0.5, 5), st.integers(0, 1000))
def test_the_suggestion_lies_on_the_way_down(bottom: int, height: float, seed: int) -> None:
    """Flat, down to ``bottom``, level with a wobble, up."""
    wobble = np.random.default_rng(seed).uniform(-0.02, 0.02, 100) * height
    fall = np.interp(range(100), [bottom - 15, bottom, 90, 99], [height, 0, 0, height])
    rate = suggest(RATES, list(1 + fall + wobble))
    assert RATES[bottom - 16] <= rate <= RATES[bottom] * 1.05
    assert rate <= RATES[-1] / 10


def test_no_suggestion_where_nothing_was_learnt() -> None:
    for smooth in ([], [2.0], [2.0] * 100, list(np.linspace(2, 9, 100))):
        with pytest.raises(UserError, match="the loss fell at no learning rate"):
            suggest(RATES[: len(smooth)], smooth)


def test_the_smallest_of_the_fastest_batches() -> None:
    found = [BatchFigure(4, 50, 1), BatchFigure(8, 97, 1), BatchFigure(16, 100, 1)]
    assert suggest_batch(found) == 8


@quick
@given(
    st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=40),
    st.booleans(),
)
def test_any_line_can_be_drawn(tmp_path_factory: Any, y: list[float], log: bool) -> None:
    path = tmp_path_factory.getbasetemp() / "chart.png"
    x = [float(2**i) for i in range(len(y))]
    line_chart(path, x, y, title="t", x_label="x", y_label="y", x_log=log, mark=x[0])
    picture = cv2.imread(str(path))
    assert picture is not None and (picture != 255).any()
