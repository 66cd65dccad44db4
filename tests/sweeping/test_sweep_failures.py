"""Trials that fail: each is kept with its reason, and ends no other unless that is wanted."""

from __future__ import annotations

import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import Result, environment, run_process
from sweeps import records, study_of, sweep_folder, words

pytest.importorskip("optuna", reason="the extra 'sweep' is not installed")


def test_a_bad_trial_is_kept_with_its_reason_and_ends_nothing(here: Path, photos: Path) -> None:
    grid = ["sweep=grid", "optimizer.lr=1e30,0.01", "sweep.max_failures=2"]
    result = run_process(words(photos, *grid), here)
    assert result.code == 1
    bad, good = records(here)
    assert bad["state"] == "failed" and "nan" in bad["failure"].lower()
    assert good["state"] == "complete"
    assert f"trial   1 of 2  failed: {bad['failure']}  optimizer.lr=1e+30\n" in result.out
    log = (sweep_folder(here) / "log" / "00000.log").read_text()
    assert bad["failure"] in log
    assert study_of(sweep_folder(here)).trials[0].state.name == "FAIL"


@pytest.mark.slow
def test_the_first_failure_ends_a_sweep_that_is_to_fail_fast(here: Path, photos: Path) -> None:
    grid = ["sweep=grid", "optimizer.lr=1e30,0.01,0.02", "sweep.fail_fast=true"]
    result = run_process(words(photos, *grid), here)
    assert result.code == 1
    assert len(records(here)) == 1
    assert "(sweep.fail_fast=true); to go on: osprey train -m sweep.resume=" in result.err


RAISER = '''
"""Raises in one trial; another one is slow, so that it still trains when that is known."""
import time

from pytorch_lightning.callbacks import Callback


class Raise(Callback):
    def __init__(self, seed, slow, bad):
        self.seed, self.slow, self.bad = seed, slow, bad

    def on_train_epoch_end(self, trainer, pl_module):
        if self.seed == self.slow:
            time.sleep(8)
        if self.seed == self.bad:
            raise ZeroDivisionError("on purpose")
'''


def raiser(slow: int, bad: int) -> list[str]:
    node = f"{{_target_: raiser.Raise, seed: ${{seed}}, slow: {slow}, bad: {bad}}}"
    return [f"+callbacks.bad={node}"]


@pytest.mark.slow
def test_one_bad_seed_of_three_fails_its_trial(here: Path, photos: Path) -> None:
    (here / "raiser.py").write_text(RAISER)
    more = ["sweep=grid", "optimizer.lr=0.01,0.02", "sweep.seeds=3", "sweep.workers=2"]
    more.append("sweep.trials=1")
    result = run_process(words(photos, *more, *raiser(slow=1, bad=0)), here)
    assert result.code == 1
    (record,) = records(here)
    assert record["state"] == "failed"
    assert record["failure"] == "ZeroDivisionError: on purpose"
    assert "Traceback" in (sweep_folder(here) / "log" / "00000-0.log").read_text()


@pytest.mark.slow
def test_the_first_failure_ends_what_still_trains(here: Path, photos: Path) -> None:
    (here / "raiser.py").write_text(RAISER)
    more = ["sweep=grid", "seed=0,1,2,3", "sweep.workers=2", "sweep.fail_fast=true"]
    result = run_process(words(photos, *more, *raiser(slow=1, bad=0), epochs=3), here)
    assert result.code == 1
    assert [record["state"] for record in records(here)] == ["failed"]
    again = run_process(["train", "-m", "sweep.resume=latest", "sweep.fail_fast=false"], here)
    assert "1 trial finished before, 1 interrupted one taken up again" in again.out
    states = [record["state"] for record in records(here)]
    assert states == ["failed", "complete", "complete", "complete"]


@pytest.mark.slow
def test_a_full_disk_ends_the_sweep_and_no_trial(here: Path, photos: Path) -> None:
    line = shlex.join(map(str, words(photos, "sweep=grid", "seed=0,1", epochs=2)))
    command = ["bash", "-c", f"ulimit -f 50; exec {sys.executable} -m osprey {line}"]
    full = subprocess.run(command, cwd=here, env=environment(), capture_output=True, text=True)
    assert full.returncode == 2, full.stderr
    assert "last.ckpt': file too large: files may not be so large here (ulimit -f)" in full.stderr
    assert "trials that were interrupted go on with sweep.resume=runs/sweeps/" in full.stderr
    assert records(here) == []
    again = run_process(["train", "-m", "sweep.resume=latest"], here)
    assert again.code == 0, again.err
    assert [record["state"] for record in records(here)] == ["complete", "complete"]


@pytest.mark.slow
def test_a_damaged_record_is_a_line(
    here: Path, photos: Path, osprey: Callable[..., Result]
) -> None:
    assert run_process(words(photos, "sweep=grid", "seed=0,1"), here).code == 0
    folder = sweep_folder(here)
    (folder / "trials" / "00000.json").write_text("{")
    board = osprey("leaderboard", folder)
    assert board.code == 0
    assert "00000.json' is damaged: its trial is not listed\n" in board.err
    (folder / "sweep.json").write_text("{}")
    resume = osprey("train", "-m", f"sweep.resume={folder}")
    assert (resume.code, resume.err.count("\n")) == (2, 1)
    assert "has no readable sweep.json: not a sweep's folder" in resume.err
