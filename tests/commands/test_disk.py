"""A full disk, a folder without permission: one line with place and remedy, nothing half."""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import TINY, Result, as_anybody, environment, only_run, run_process


@pytest.fixture
def read_only(trained: Path, here: Path) -> Iterator[Path]:
    """A working folder with a run in it, where nothing can be written."""
    shutil.copytree(trained / "runs", here / "runs")
    folders = [here, *(path for path in here.rglob("*") if path.is_dir())]
    for folder in folders:
        folder.chmod(0o555)
    yield here
    for folder in folders:
        folder.chmod(0o755)


RIGHTS = "permission denied: give yourself the right to it, or name another folder"


@pytest.mark.slow
def test_a_folder_that_cannot_be_written_to(read_only: Path, photos: Path) -> None:
    run = only_run(read_only).relative_to(read_only)
    data = ["data=folder", f"data.root={photos}", *TINY]
    cases: dict[tuple[str | Path, ...], str] = {
        ("train", *data): "paths.runs: cannot write to 'runs' (Permission denied)",
        ("train", "data.render_count=200"): f"'data': {RIGHTS}",
        ("train", "-m", "seed=1,2", *data): f"'runs/sweeps': {RIGHTS}",
        ("train", "resume=latest", "trainer.max_epochs=3"): f"'{run}/config.yaml': {RIGHTS}",
        ("eval", "run=latest"): f"'{run}/evaluations': {RIGHTS}",
        ("report",): f"'{run}/report.html': {RIGHTS}",
        ("predict", "--folder", photos, "--output", "o.csv"): (
            "--output: cannot write to '.': name another folder"
        ),
    }
    for words, line in cases.items():
        done = as_anybody(list(words), read_only)
        assert (done.code, done.err) == (2, f"osprey {words[0]}: {line}\n"), words


def test_a_folder_that_cannot_be_opened(here: Path) -> None:
    closed = here / "closed"
    closed.mkdir()
    closed.chmod(0)
    done = as_anybody(["train", "data=folder", "data.root=closed", *TINY], here)
    closed.chmod(0o755)
    assert (done.code, done.err) == (2, f"osprey train: 'closed': {RIGHTS}\n")


@pytest.mark.slow
def test_a_full_disk(here: Path, photos: Path) -> None:
    """Here a limit on the size of files; what was there before stays whole, and the run goes on."""
    words = ["train", "data=folder", f"data.root={photos}", *TINY]
    assert run_process([*words, "trainer.max_epochs=1"], here).code == 0
    run = only_run(here)
    before = (run / "checkpoints" / "last.ckpt").read_bytes()
    large = (
        "file too large: files may not be so large here (ulimit -f): raise that, or write elsewhere"
    )
    done = with_little_room(["train", f"resume={run}", "trainer.max_epochs=2"], here)
    assert (done.code, done.err) == (
        2,
        f"stopped; to go on when that is mended: osprey train resume={run}\n"
        f"osprey train: '{run}/checkpoints/last.ckpt': {large}\n",
    )
    assert (run / "checkpoints" / "last.ckpt").read_bytes() == before
    assert not [path for path in run.rglob(".*") if path.name != ".lock"]
    assert run_process(["train", f"resume={run}", "trainer.max_epochs=2"], here).code == 0
    done = with_little_room([*words, "name=first", "trainer.max_epochs=1"], here)
    (first,) = (here / "runs" / "first").iterdir()
    where = first.relative_to(here)
    assert (done.code, done.err) == (
        2,
        f"stopped before an epoch was saved: train anew, and delete '{where}'\n"
        f"osprey train: '{where}/checkpoints/last.ckpt': {large}\n",
    )


@pytest.mark.slow
@pytest.mark.parametrize("limit", [8_000, 40_000])
def test_loader_processes_end_with_a_run_that_finds_no_room(
    here: Path, photos: Path, limit: int
) -> None:
    """Less than a batch in shared memory, or than a checkpoint; the command never hangs."""
    words = [word for word in TINY if not word.startswith("data.num_workers")]
    words += ["data.num_workers=1", "data.size=64"]
    done = with_little_room(["train", "data=folder", f"data.root={photos}", *words], here, limit)
    assert done.code == 2, done.err
    assert "Traceback" not in done.err
    if limit == 8_000:
        assert done.err.endswith(
            "osprey train: there is too little shared memory for loader processes: set "
            "data.num_workers=0, or allow more of it (docker run --shm-size, ulimit -f)\n"
        )


def with_little_room(words: list[str], cwd: Path, limit: int = 4000) -> Result:
    """The command where no file may be larger than so many bytes."""

    def full() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    # What measures coverage would want to write more than that.
    env = {k: v for k, v in environment().items() if not k.startswith("COV")}
    command = [sys.executable, "-m", "osprey", *words]
    done = subprocess.run(
        command, cwd=cwd, env=env, capture_output=True, text=True, preexec_fn=full, timeout=120
    )
    return Result(done.returncode, done.stdout, done.stderr)


def test_names_that_are_no_text(here: Path, photos: Path) -> None:
    folder = os.fsencode(here) + b"/f\xe4nge"
    shutil.copytree(os.fsencode(photos), folder)
    words = ["train", "data=folder", f"data.root={os.fsdecode(folder)}", *TINY]
    result = run_process(list(words), here)
    assert result.code == 2 and result.err.count("\n") == 1, result.err
    assert "is not UTF-8: rename the folder" in result.err


@pytest.mark.slow
def test_a_batch_of_one(here: Path, photos: Path) -> None:
    words = ["train", "data=folder", f"data.root={photos}", *TINY, "data.batch_size=1"]
    words = [word for word in words if not word.startswith("model.")]
    more = ["model=resnet18", "model.pretrained=false"]
    result = run_process([*words, *more], here)
    assert (result.code, result.err) == (
        2,
        "osprey train: data.batch_size=1 is one photo a device, and BatchNorm has nothing to "
        "compare it with: raise it, or add model.freeze_batchnorm=true\n",
    )
