"""What a sweep takes: foreseen in its first epoch, counted in its records and leaderboard."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import Result, run_process
from sweeps import records, sweep_folder, words

pytest.importorskip("optuna", reason="the extra 'sweep' is not installed")

FAILING = '''
"""Raises in one trial, when it has trained an epoch."""
from pytorch_lightning.callbacks import Callback


class Fail(Callback):
    def __init__(self, seed):
        self.seed = seed

    def on_train_epoch_start(self, trainer, pl_module):
        if self.seed == 1 and trainer.current_epoch == 1:
            raise ZeroDivisionError("on purpose")
'''


@pytest.mark.slow
def test_time_and_money_of_a_sweep(here: Path, photos: Path, osprey: Callable[..., Result]) -> None:
    (here / "failing.py").write_text(FAILING)
    more = ["+callbacks.fail._target_=failing.Fail", "+callbacks.fail.seed=${seed}"]
    price = ["cost.usd_per_hour=360", "sweep.workers=2"]
    other = ("data.batch_size", "model.options")
    plain = [w for w in words(photos, epochs=2) if not str(w).startswith(other)]
    grid = [
        "data.batch_size=2",
        "model.options={width: 64}",
        "sweep=grid",
        "seed=0,1",
        *price,
        *more,
    ]  # 13 steps an epoch
    result = run_process([*plain, *grid], here)
    assert result.code == 1, result.err

    lines = result.out.splitlines()
    (told,) = (n for n, line in enumerate(lines) if line.startswith("time    "))
    form = r"time    2 trials like this: .* minutes? or so, .* USD, \d+ MB \(\d+ GB free\)"
    assert re.fullmatch(form, lines[told])
    megabytes = float(lines[told].rpartition(" MB")[0].split()[-1])
    assert told < min(n for n, line in enumerate(lines) if line.startswith("trial   "))

    good, bad = records(here)
    assert (good["state"], bad["state"]) == ("complete", "failed")
    summary = json.loads((here / good["run"] / "summary.json").read_text())
    assert (good["minutes"], good["usd"]) == (summary["minutes"], summary["usd"])
    files = (here / good["run"] / "checkpoints").iterdir()
    assert megabytes == pytest.approx(2 * sum(f.stat().st_size for f in files) / 1e6, rel=0.1)
    for record in (good, bad):  # both workers are on the one machine, which costs 6 USD a minute
        assert record["minutes"] > 0
        assert record["usd"] == pytest.approx(3 * record["minutes"], abs=0.02)

    total = f"{good['usd'] + bad['usd']:.2f} USD"
    assert any(re.fullmatch(rf"spent   .* minutes?, {total} of training", line) for line in lines)
    board = osprey("leaderboard", sweep_folder(here), "--html").out.splitlines()
    assert re.fullmatch(rf"1 run, .* minutes?, {good['usd']:.2f} USD, best first by .*", board[0])
    head, row = board[1].split(), board[2].split()
    assert row[head.index("USD")] == f"{good['usd']:.2f}"
    assert any(re.fullmatch(rf"failed \(1\), .* minutes?, {bad['usd']:.2f} USD:", b) for b in board)
    assert any(re.fullmatch(rf"in all  2 runs, .* minutes?, {total}", line) for line in board)
    page = (sweep_folder(here) / "leaderboard.html").read_text()
    assert f", {total} in all." in page
    assert f">{good['usd']:.2f}</td>" in page and ">USD</button>" in page
