"""Started by torchrun, a command takes its rank from there: here on two nodes of one machine."""

from __future__ import annotations

import csv
import json
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from conftest import REPOSITORY, TINY, environment, only_run, run_process

PLAIN = ["trainer=ddp_sim", "augmentation=none", "trainer.deterministic=true"]


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def torchrun(words: list[str], cwd: Path, nodes: int = 2) -> list[tuple[int, str, str]]:
    """The command on ``nodes`` nodes of one process each, which meet on the loopback address."""
    meeting = f"127.0.0.1:{free_port()}"
    launcher = [
        *(sys.executable, "-m", "torch.distributed.run", "--nnodes", str(nodes)),
        *("--nproc-per-node", "1", "--rdzv-backend", "c10d", "--rdzv-id", "osprey"),
        *("--rdzv-endpoint", meeting, "--local-addr", "127.0.0.1"),
    ]
    script = str(REPOSITORY / "scripts" / "train.py")
    started = [
        subprocess.Popen(
            [*launcher, script, *words],
            cwd=cwd,
            env=environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(nodes)
    ]
    found = []
    for process in started:
        out, err = process.communicate(timeout=300)
        found.append((process.returncode, out, err))
    return found


def figures(folder: Path) -> tuple[list[dict[str, str]], dict[str, Any]]:
    run = only_run(folder)
    with (run / "metrics.csv").open(newline="") as file:
        rows = [
            {k: v for k, v in row.items() if k not in ("seconds", "data_wait")}
            for row in csv.DictReader(file)
        ]
    summary = json.loads((run / "summary.json").read_text())
    return rows, {split: summary[split] for split in ("val", "test")}


@pytest.mark.slow
def test_two_nodes_equal_two_processes(here: Path, photos: Path, tmp_path: Path) -> None:
    words = ["data=folder", f"data.root={photos}", *TINY, *PLAIN]
    other = tmp_path / "one_node"
    other.mkdir()
    result = run_process(["train", *words], other)
    assert result.code == 0, result.err
    results = torchrun(words, here)
    assert [code for code, _, _ in results] == [0, 0], results
    assert figures(here) == figures(other)
    said = [out for _, out, _ in results if "epoch   1/2" in out]
    assert len(said) == 1, "one process speaks for all"


@pytest.mark.slow
def test_a_mistake_is_one_line_of_one_process(here: Path, photos: Path) -> None:
    words = ["data=folder", f"data.root={photos}", *TINY, *PLAIN, "data.batch_size=9"]
    results = torchrun(words, here)
    assert all(code != 0 for code, _, _ in results)
    lines = [line for _, _, err in results for line in err.splitlines() if "osprey train:" in line]
    assert lines == ["osprey train: data.batch_size=9 cannot be shared evenly by 2 processes"]
    assert not list(here.glob("runs/*/*/metrics.csv"))


def test_several_machines_want_a_launcher(here: Path, osprey) -> None:  # type: ignore[no-untyped-def]
    result = osprey("train", "trainer=ddp_sim", "trainer.num_nodes=2", "data.render_count=200")
    assert (result.code, result.err) == (
        2,
        "osprey train: trainer.num_nodes=2: several machines are started by torchrun or srun, "
        "which tell each process its place\n",
    )


@pytest.mark.slow
def test_processes_know_the_users_package(my_pkg: Path, photos: Path) -> None:
    """A network and a loss of the user's own in two processes, whose workers are spawned."""
    tiny = [word for word in TINY if not word.startswith(("model.", "data.num_workers"))]
    words = ["train", "data=folder", f"data.root={photos}", *tiny, *PLAIN, "data.num_workers=1"]
    own = ["model._target_=my_pkg.nets.ReefNet", "+model.width=4"]
    loss = ["task.loss._target_=my_pkg.losses.Poly1"]
    result = run_process([*words, *own, *loss], my_pkg)
    assert result.code == 0, result.err
    recorded = json.loads((only_run(my_pkg) / "environment.json").read_text())["user_code"]
    assert set(recorded) >= {"my_pkg"}
