"""``sweep.resume=``: renamed, from elsewhere, and of trials that failed by what may pass."""

from __future__ import annotations

from pathlib import Path

import pytest
from conftest import run_process
from sweeps import records, sweep_folder, words

pytest.importorskip("optuna", reason="the extra 'sweep' is not installed")
from osprey.sweeping.study import JOURNAL

BREAKER = '''
"""Breaks each trial once, in its own way, when it has trained an epoch and saved it."""
import os
import signal
from pathlib import Path

import torch
from pytorch_lightning.callbacks import Callback


def killed():
    os.kill(os.getpid(), signal.SIGKILL)


def ended():
    os._exit(0)


def out_of_memory():
    raise torch.OutOfMemoryError("CUDA out of memory")


def loader_killed():
    raise RuntimeError("DataLoader worker (pid 7) is killed by signal: Killed. ")


def mistaken():
    raise ZeroDivisionError("on purpose")


def terminated():
    os.kill(os.getpid(), signal.SIGTERM)


WAYS = [killed, ended, out_of_memory, loader_killed, mistaken, terminated]


class Break(Callback):
    def __init__(self, seed):
        self.seed = seed

    def on_train_epoch_start(self, trainer, pl_module):
        once = Path(f"broken-{self.seed}")
        if trainer.current_epoch == 1 and self.seed < len(WAYS) and not once.exists():
            once.touch()
            WAYS[self.seed]()
'''
REASONS = [
    "its process was killed (SIGKILL, as when memory is gone)",
    "its process ended with exit code 0",
    "out of memory: lower data.batch_size (it is 8) and raise trainer.accumulate by as much, or "
    "lower data.eval_batch_size or data.size",
    "RuntimeError: DataLoader worker (pid 7) is killed by signal: Killed.",
    "ZeroDivisionError: on purpose",
    None,  # what was asked to end goes on within the same sweep
    None,
]


@pytest.mark.slow
def test_what_may_have_passed_is_tried_again(here: Path, photos: Path) -> None:
    (here / "breaker.py").write_text(BREAKER)
    more = ["+callbacks.break._target_=breaker.Break", "+callbacks.break.seed=${seed}"]
    grid = ["sweep=grid", "seed=range(0,7)", "sweep.max_failures=9", *more]
    first = run_process(words(photos, *grid, epochs=2), here)
    assert first.code == 1
    assert [record.get("failure") for record in records(here)] == REASONS
    folder = sweep_folder(here).relative_to(here)
    assert first.err == (
        "4 trials failed by what may have passed; again: osprey train -m "
        f"sweep.resume={folder} 'plugins=[breaker]'\n"
    )

    again = run_process(["train", "-m", "sweep.resume=latest"], here)
    assert again.code == 1  # one is still a failure
    assert "there   3 trials finished before, 4 interrupted ones taken up again\n" in again.out
    states = ["complete"] * 4 + ["failed", "complete", "complete"]
    assert [record["state"] for record in records(here)] == states
    assert again.err == ""
    # From the checkpoint of the epoch before, in the folder that was begun; no other twice.
    logs = [(here / folder / "log" / f"{n:05d}.log").read_text() for n in range(7)]
    assert [text.count("goes on from last.ckpt") for text in logs] == [1, 1, 1, 1, 0, 1, 0]
    assert len(list(here.glob("runs/*/*/trial.json"))) == 7

    done = run_process(["train", "-m", "sweep.resume=latest"], here)
    assert "there   7 trials finished before\n" in done.out
    assert "trial   " not in done.out


@pytest.mark.slow
def test_a_sweep_goes_on_renamed_and_from_elsewhere(
    here: Path, photos: Path, tmp_path: Path
) -> None:
    result = run_process(words(photos, "sweep=grid", "seed=0,1", "sweep.trials=1"), here)
    assert result.code == 0, result.err
    first = records(here)[0]["run"]
    folder = sweep_folder(here)
    folder.rename(folder.with_name("mine"))
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    resume = [f"sweep.resume='{folder.with_name('mine')}'", "sweep.trials=2"]
    again = run_process(["train", "-m", *resume], elsewhere)
    assert again.code == 0, again.err
    assert again.out.startswith(f"folder  {here}: where the sweep was begun\n")
    assert "there   1 trial finished before\n" in again.out
    assert records(here)[0]["run"] == first and len(records(here)) == 2
    assert not (elsewhere / "runs").exists()
    (folder.with_name("mine") / JOURNAL).unlink()
    lost = run_process(["train", "-m", *resume], elsewhere)
    assert lost.code == 2 and f"has lost its {JOURNAL}: copy it again" in lost.err
