"""Waiting for data is measured, told each epoch, and explained once."""

from __future__ import annotations

import csv
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from conftest import TINY, only_run
from helpers import data_config, quick
from hypothesis import given
from hypothesis import strategies as st

from osprey.data.dataset import PhotoDataset
from osprey.engine import trainer
from osprey.engine.callbacks import data_wait, progress
from osprey.engine.callbacks.data_wait import DataWait, advice

seconds = st.floats(0.001, 100)


class Clock:
    """Moves only when told to."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def epoch(gaps: list[float], steps: list[float], device: str = "cpu") -> float:
    clock = Clock()
    wait = DataWait(clock)
    module: Any = SimpleNamespace(device=SimpleNamespace(type=device))
    nothing: Any = None
    wait.on_train_epoch_start(nothing, nothing)
    for number, (gap, step) in enumerate(zip(gaps, steps, strict=True)):
        clock.now += gap
        wait.on_train_batch_start(nothing, module, nothing, number)
        clock.now += step
        wait.on_train_batch_end(nothing, module, nothing, nothing, number)
    return wait.share


@quick
@given(st.lists(st.tuples(seconds, seconds), min_size=1, max_size=30))
def test_the_share_is_waiting_over_all(times: list[tuple[float, float]]) -> None:
    gaps, steps = [list(part) for part in zip(*times, strict=True)]
    waited, worked = sum(gaps[1:]), sum(steps[1:])  # the first batch comes after a validation
    wanted = waited / (waited + worked) if waited else 0.0
    assert epoch(gaps, steps) == pytest.approx(wanted, abs=1e-6)


def test_a_gpu_is_stopped_at_every_tenth_step_only(monkeypatch: pytest.MonkeyPatch) -> None:
    stops: list[Any] = []
    monkeypatch.setattr(data_wait.torch.cuda, "synchronize", stops.append)
    gaps = [1.0] * 35
    gaps[10] = gaps[20] = gaps[30] = 3.0
    assert epoch(gaps, [1.0] * 35, "cuda") == pytest.approx(0.75)
    assert len(stops) == 6, "before and after each of three"


def test_advice_fits_the_situation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data_wait, "cores", lambda: 8)
    plain = data_config(num_workers=2)
    assert advice(0.1, plain, 3000, 256, 8 * 10**9) is None
    told = advice(0.34, plain, 3000, 256, 8 * 10**9)
    assert told == "data wait 34%: data.cache=ram keeps decoded photos (about 0.8 GB)"
    told = advice(0.34, plain, 3000, 256, 10**9)
    assert told == "data wait 34%: data.cache=disk keeps decoded photos (about 0.8 GB)"
    assert advice(0.34, plain, 3000, 256, None) == told, "memory unknown is memory not counted on"
    told = advice(0.2, data_config(num_workers=2, cache="ram"), 3000, 256, 8 * 10**9)
    assert told == "data wait 20%: data.num_workers=7 prepares more photos at once (now 2)"
    told = advice(0.2, data_config(num_workers=7, cache="disk"), 3000, 256, 8 * 10**9)
    assert told is not None and "data.train_size" in told
    told = advice(0.34, plain, 3000, 256, 8 * 10**9, others=6.2)
    assert told is not None and told.startswith("data wait 34%: about 6 other programs or threads")


def test_a_load_of_others_is_what_is_not_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data_wait, "auto_workers", lambda: 1)
    for load, workers, others in ((4.0, None, 0.0), (9.5, None, 5.5), (9.5, 3, 3.5), (0.1, 0, 0.0)):
        monkeypatch.setattr(data_wait.os, "getloadavg", lambda load=load: (load, 0.0, 0.0))
        assert data_wait.others_load(workers, threads=2) == others


@pytest.mark.parametrize("slow", [True, False])
def test_a_run_tells_it(
    slow: bool, here: Path, photos: Path, osprey: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()

    def timed(read: Any, cost: float) -> Any:
        def call(*arguments: Any, **more: Any) -> Any:
            clock.now += cost
            return read(*arguments, **more)

        return call

    cost = 1.0 if slow else 0.001
    monkeypatch.setattr(PhotoDataset, "__getitem__", timed(PhotoDataset.__getitem__, cost))
    if hasattr(PhotoDataset, "__getitems__"):
        many = timed(PhotoDataset.__getitems__, 8 * cost)
        monkeypatch.setattr(PhotoDataset, "__getitems__", many)
    start = DataWait.on_train_batch_start

    def started(self: DataWait, *arguments: Any, **more: Any) -> None:
        start(self, *arguments, **more)
        clock.now += 2.0  # the step

    monkeypatch.setattr(DataWait, "on_train_batch_start", started)
    monkeypatch.setattr(trainer, "DataWait", lambda: DataWait(clock))
    monkeypatch.setattr(progress, "others_load", lambda *_: 0.0)  # whoever else is at work here
    result = osprey("train", "data=folder", f"data.root={photos}", *TINY)
    assert result.code == 0, result.err
    with (only_run(here) / "metrics.csv").open(newline="") as file:
        shares = [float(row["data_wait"]) for row in csv.DictReader(file)]
    assert len(shares) == 2
    told = [line for line in result.out.splitlines() if line.startswith("data wait ")]
    if slow:
        assert all(0.7 < share < 0.9 for share in shares)
        assert len(told) == 1 and told[0].startswith("data wait 8") and "data.cache=" in told[0]
        assert "images/s  data wait 8" in result.out
    else:
        assert all(share < 0.01 for share in shares) and not told
