"""A sweep that is killed at random moments, ten times, and goes on: every trial exactly once."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
from conftest import TINY, environment

pytest.importorskip("optuna", reason="the extra 'sweep' is not installed")

KILLS, TRIALS = 10, 25
SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)


def start(words: list[str], cwd: Path) -> subprocess.Popen[str]:
    """A command in a process group of its own; Ctrl-C counts."""
    return subprocess.Popen(
        [sys.executable, "-m", "osprey", *words],
        cwd=cwd,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )


@pytest.mark.slow
def test_a_sweep_killed_ten_times_has_every_trial_once(here: Path, photos: Path) -> None:
    draw = random.Random(0)
    tiny = [w for w in TINY if not w.startswith("optimizer.lr")]
    space = ["sweep=optuna", f"sweep.trials={TRIALS}", "sweep.workers=2", "sweep.pruner=median"]
    rate = "optimizer.lr=tag(log,interval(1e-4,1e-1))"
    words = ["train", "-m", "data=folder", f"data.root={photos}", *tiny, *space, rate]
    # Until there is a sweep, the same command again; from then on the resume.
    killed = 0
    while killed < KILLS:
        if (folders := list(here.glob("runs/sweeps/*/sweep.json"))) and len(folders) == 1:
            words = ["train", "-m", "sweep.resume=latest"]
        done = start(words, here)
        moment = time.monotonic() + draw.uniform(2, 11)
        while time.monotonic() < moment and done.poll() is None:
            time.sleep(0.05)
        number = draw.choice(SIGNALS)
        target = draw.choice((os.kill, os.killpg))
        assert done.poll() is None, "the sweep was done before it was killed ten times"
        target(done.pid, number)
        killed += 1
        _, err = done.communicate(timeout=200)
        assert done.returncode in (-number, 128 + number), err
        assert "Traceback" not in err
    last = start(["train", "-m", "sweep.resume=latest"], here)
    out, err = last.communicate(timeout=300)
    assert last.returncode == 0, err

    (folder,) = {file.parent for file in here.glob("runs/sweeps/*/sweep.json")}
    numbers = [int(file.stem) for file in (folder / "trials").glob("*.json")]
    assert sorted(numbers) == list(range(TRIALS))
    trained = Counter(
        json.loads(file.read_text())["number"]
        for file in here.glob("runs/*/*/trial.json")
        if any((file.parent / name).is_file() for name in ("summary.json", "pruned.json"))
    )
    assert trained == Counter(range(TRIALS))
    assert out.count("\ntrial   ") <= TRIALS
