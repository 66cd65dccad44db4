"""Signals to a process and its group, and closed pipes: nothing is lost or half-made."""

from __future__ import annotations

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import (
    TINY,
    Result,
    as_from_a_terminal,
    environment,
    make_photos,
    only_run,
    run_process,
)

Call = Callable[..., Result]


def start(words: list[str | Path], cwd: Path, **more: object) -> subprocess.Popen[str]:
    """A command in a process group of its own, as a scheduler or ``timeout`` starts it."""
    command = [sys.executable, "-m", "osprey", *(str(word) for word in words)]
    more = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, **more}
    more |= {"start_new_session": True, "preexec_fn": as_from_a_terminal}
    return subprocess.Popen(command, cwd=cwd, env=environment(), **more)  # type: ignore[call-overload, no-any-return]


def wait_for(process: subprocess.Popen[str], text: str) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith(text):
            return
    raise AssertionError(f"'{text}' was never said")


@pytest.fixture
def words(here: Path) -> list[str | Path]:
    photos = make_photos(here / "photos", per_class=60)
    tiny = [word for word in TINY if not word.startswith(("data.num_workers", "trainer.max_ep"))]
    more = ["data.num_workers=2", "trainer.max_epochs=400"]
    return ["train", "data=folder", f"data.root={photos}", *tiny, *more]


@pytest.mark.slow
def test_sigterm_to_the_group_saves(here: Path, words: list[str | Path]) -> None:
    process = start(words, here)
    wait_for(process, "epoch   2/")
    os.killpg(process.pid, signal.SIGTERM)
    _, err = process.communicate(timeout=60)
    run = only_run(here)
    assert process.returncode == 143, err
    assert err == (
        "stopping after this step, to save last.ckpt ...\n"
        f"stopped, state saved; to go on: osprey train resume={run.relative_to(here)}\n"
    )
    result = run_process(["train", f"resume={run}", "trainer.max_epochs=3"], here)
    assert result.code == 0, result.err


@pytest.mark.slow
def test_killed_a_run_goes_on_at_once(here: Path, words: list[str | Path]) -> None:
    """Its loaders, which live on for some seconds, have no part in the lock."""
    process = start(words, here)
    wait_for(process, "epoch   2/")
    os.kill(process.pid, signal.SIGKILL)
    run = only_run(here)
    result = run_process(["train", f"resume={run}", "trainer.max_epochs=3"], here)
    assert result.code == 0, result.err
    process.wait()


@pytest.mark.slow
def test_sigterm_in_a_sweep_ends_it(here: Path, words: list[str | Path]) -> None:
    process = start([*words, "-m", "seed=1,2,3"], here)
    wait_for(process, "epoch   2/")
    os.killpg(process.pid, signal.SIGTERM)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 143, err
    assert "Traceback" not in err and "to go on: osprey train resume=" in err
    assert len(list(here.glob("runs/*/*/checkpoints/last.ckpt"))) == 1


@pytest.mark.parametrize("task", ["classifier", pytest.param("detector", marks=pytest.mark.slow)])
@pytest.mark.parametrize(
    ("number", "code"),
    [
        pytest.param(signal.SIGINT, 130, marks=pytest.mark.slow),
        pytest.param(signal.SIGTERM, 143, marks=pytest.mark.slow),
        (signal.SIGKILL, -signal.SIGKILL),
    ],
)
def test_predict_goes_on(
    trained: Path, detector: Path, here: Path, task: str, number: signal.Signals, code: int
) -> None:
    """Stopped however, it leaves no half table, and the same command asks about each photo once."""
    shutil.copytree((trained if task == "classifier" else detector) / "runs", here / "runs")
    photos = make_photos(here / "photos", per_class=500 if task == "classifier" else 100)
    count = len(list(photos.rglob("*.png")))
    words: list[str | Path] = ["predict", "--folder", photos, "--output", "o.csv"]
    answers = here / ".o.csv.part" / "answers.jsonl"
    process = start(words, here)
    while process.poll() is None and not (answers.is_file() and answers.stat().st_size):
        time.sleep(0.01)
    os.killpg(process.pid, number)
    _, err = process.communicate(timeout=60)
    assert process.returncode == code, err
    assert "Traceback" not in err
    if number != signal.SIGKILL:
        assert err.endswith("the same command goes on\nosprey predict: stopped\n")
    assert {path.name for path in here.iterdir()} == {"runs", "photos", ".o.csv.part"}

    result = run_process(words, here)
    assert result.code == 0, result.err
    assert "done before: " in result.err
    assert {path.name for path in here.iterdir()} == {"runs", "photos", "o.csv"}
    undisturbed = run_process([*words[:-1], "whole.csv"], here)
    assert undisturbed.code == 0 and f"{count} photos, " in undisturbed.err
    assert (here / "o.csv").read_bytes() == (here / "whole.csv").read_bytes()


def test_another_command_begins_anew(trained: Path, here: Path, photos: Path) -> None:
    """What was answered by other settings, or of photos that changed, counts for nothing."""
    shutil.copytree(trained / "runs", here / "runs")
    shutil.copytree(photos, here / "photos")
    words: list[str | Path] = ["predict", "--folder", "photos", "--output", "o.csv"]
    part = here / ".o.csv.part"
    part.mkdir()
    (part / "settings.json").write_text("of another")
    (part / "answers.jsonl").write_text('["strange,1\\n", null]\n')
    result = run_process(words, here)
    assert result.code == 0 and "done before" not in result.err
    assert "strange" not in (here / "o.csv").read_text() and not part.exists()


@pytest.mark.slow
def test_a_reader_that_has_had_enough(here: Path, photos: Path) -> None:
    """``osprey train | head -n 1``: the work goes on without its output."""
    command = ["train", "data=folder", f"data.root={photos}", *TINY]
    process = start(list(command), here)
    assert process.stdout is not None and process.stderr is not None
    process.stdout.readline()
    process.stdout.close()
    err = process.stderr.read()
    assert process.wait(timeout=60) == 0, err
    assert err == ""
    assert json.loads((only_run(here) / "summary.json").read_text())["epochs"]["trained"] == 2


def test_a_table_is_written_whoever_reads(trained: Path, here: Path, photos: Path) -> None:
    """``osprey predict ... 2>&1 | true``"""
    shutil.copytree(trained / "runs", here / "runs")
    read, write = os.pipe()
    words = ["predict", "--folder", photos, "--output"]
    process = start([*words, "o.csv"], here, stdout=write, stderr=write)
    os.close(read)
    os.close(write)
    assert process.wait(timeout=60) == 0
    with (here / "o.csv").open(newline="") as file:
        assert len(list(csv.reader(file))) == 37
    process = start([*words, "-"], here)
    assert process.stdout is not None and process.stderr is not None
    process.stdout.close()
    assert "Traceback" not in process.stderr.read()
    assert process.wait(timeout=60) == 0
