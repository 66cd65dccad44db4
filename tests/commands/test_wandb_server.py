"""A W&B server that hangs, refuses or fails stops no training, and takes nothing from its run."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from conftest import TINY, Result, only_run, run_process
from fake_wandb import Server, serving

from osprey.engine.loggers.wandb_sync import unsent


def _train(here: Path, photos: Path, *words: str, **more: str) -> Result:
    line = ["train", "data=folder", f"data.root={photos}", *TINY, "logger=wandb", *words]
    return run_process(line, here, HOME=str(here), NETRC=str(here / "none"), **more)


def _is_whole(run: Path) -> None:
    """Figures, checkpoints and report are those of any run."""
    summary = json.loads((run / "summary.json").read_text())
    assert summary["test"]["n"] > 0 and summary["epochs"]["trained"] == 2
    assert (run / "metrics.csv").read_text().count("\n") == 3
    assert {p.name for p in (run / "checkpoints").iterdir()} == {"best.ckpt", "last.ckpt"}
    assert (run / "report.html").is_file()


@contextmanager
def _refusing() -> Iterator[Server]:
    with socket.socket() as taken:  # bound, but nobody listens
        taken.bind(("127.0.0.1", 0))
        yield Server(port=taken.getsockname()[1])


AT_THE_START = {
    "hangs": (lambda: serving("hangs"), ": no answer within 5 seconds"),
    "refuses": (_refusing, ""),
    "fails": (lambda: serving("fails"), ": error 500"),
}


@pytest.mark.slow
@pytest.mark.parametrize("way", AT_THE_START)
def test_a_server_that_cannot_be_reached(here: Path, photos: Path, way: str) -> None:
    opened, why = AT_THE_START[way]
    with opened() as server:
        result = _train(here, photos, **server.environment)
    assert result.code == 0, result.err
    run = only_run(here)
    line = (
        f"wandb   offline ('127.0.0.1' cannot be reached{why}); to send it later: "
        f"osprey sync {run.relative_to(here)}"
    )
    assert result.out.splitlines().count(line) == 1
    assert result.out.count("wandb") == 1 and "wandb" not in result.err
    _is_whole(run)
    (log,) = unsent(run)
    assert log.parent.name.startswith("offline-run-")
    assert f"model-{run.name}".encode() in log.read_bytes(), "the best checkpoint is in it"


@pytest.mark.slow
@pytest.mark.parametrize("way", ["hangs", "refuses"])
def test_the_same_where_online_was_insisted_on(here: Path, photos: Path, way: str) -> None:
    """``WANDB_MODE=online`` asks W&B itself, which has ten seconds."""
    opened, _ = AT_THE_START[way]
    with opened() as server:
        result = _train(here, photos, WANDB_MODE="online", **server.environment)
    assert result.code == 0, result.err
    run = only_run(here)
    (line,) = [line for line in result.out.splitlines() if line.startswith("wandb")]
    assert line.startswith("wandb   offline (Failed to get resume status")
    assert line.endswith(f"; to send it later: osprey sync {run.relative_to(here)}")
    _is_whole(run)
    logs = unsent(run)
    assert any(log.parent.name.startswith("offline-run-") for log in logs)
    assert f"model-{run.name}".encode() in logs[0].read_bytes() + logs[-1].read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize("then", ["hangs", "fails"])
def test_a_server_that_is_lost_during_training(here: Path, photos: Path, then: str) -> None:
    with serving(then=then) as server:
        result = _train(here, photos, **server.environment)
        assert server.mode == then
        _is_kept_once_lost(here, server, result)
        server.mode, server.then = "works", None
        result = run_process(["sync"], here, **server.environment)
        assert (result.code, result.err) == (0, "")
        assert result.out.splitlines()[-1] == "sync    1 run sent"
        assert f"model-{only_run(here).name}" in server.artifacts


def _is_kept_once_lost(here: Path, server: Server, result: Result) -> None:
    assert result.code == 0, result.err
    run = only_run(here)
    assert list(server.runs) == [run.name]
    (line,) = [line for line in result.out.splitlines() if line.startswith("wandb")]
    assert line.startswith("wandb   offline ('127.0.0.1' cannot be reached: ")
    assert line.endswith(f"; to send it later: osprey sync {run.relative_to(here)}")
    assert "wandb" not in result.err
    _is_whole(run)
    first, then_offline = sorted(unsent(run), key=lambda log: log.parent.name, reverse=True)
    assert first.parent.name.startswith("run-") and b"train/loss" in first.read_bytes()
    assert then_offline.name == first.name == f"run-{run.name}.wandb"
    assert b"test/macro_f1" in then_offline.read_bytes(), "results have no server to go to"


@pytest.mark.slow
def test_a_server_that_works(here: Path, photos: Path) -> None:
    """The same run arrives while it trains, and nothing is left to send."""
    with serving() as server:
        result = _train(here, photos, **server.environment)
    assert result.code == 0, result.err
    run = only_run(here)
    assert list(server.runs) == [run.name]
    assert "wandb" not in result.out + result.err
    assert any("val/macro_f1" in body for body in server.sent)
    assert f"model-{run.name}" in server.artifacts
    assert list(run.glob("wandb/run-*/*.wandb")) and unsent(run) == []


@pytest.mark.slow
def test_offline_asks_no_server(here: Path, photos: Path) -> None:
    with serving() as server:
        result = _train(here, photos, "logger.offline=true", **server.environment)
        assert result.code == 0, result.err
        result = run_process(["report", "latest"], here, **server.environment)
        assert result.code == 0, result.err
    assert server.requests == []
    assert unsent(only_run(here))
