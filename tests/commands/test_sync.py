"""``osprey sync``: what W&B kept offline is sent once, and what cannot be sent is one line."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import Result, environment, run_process
from fake_wandb import KEY, serving

from osprey.engine.loggers import wandb_server
from osprey.engine.loggers.wandb_sync import id_of, unsent
from osprey.runs.folder import RunFolder

RUNS = ("fish/a", "fish/b", "crabs/c")
_KEEP_OFFLINE = """
import sys, wandb
for folder in sys.argv[1:]:
    name = folder.rpartition("/")[2]
    with wandb.init(mode="offline", dir=folder, id=name, project="osprey", resume="allow") as run:
        run.log({"val/macro_f1": 0.5})
"""


def _keep_offline(*folders: Path) -> None:
    script = [sys.executable, "-c", _KEEP_OFFLINE, *map(str, folders)]
    subprocess.run(script, env=environment(WANDB_SILENT="true"), check=True)


@pytest.fixture
def runs(here: Path) -> Path:
    """Three run folders with a W&B run each, kept offline; one of them went on once."""
    for name in RUNS:
        folder = here / "runs" / name
        folder.mkdir(parents=True)
        (folder / "config.yaml").write_text("name: fish\n")
    _keep_offline(*(here / "runs" / name for name in (*RUNS, "fish/a")))
    (here / "runs" / "latest").symlink_to("fish/b")
    (here / "runs" / "fish" / "b" / "summary.json").write_text("{}")
    return here / "runs"


def _sync(here: Path, *words: str, **more: str) -> Result:
    return run_process(["sync", *words], here, HOME=str(here), NETRC=str(here / "no"), **more)


@pytest.mark.slow
def test_every_run_of_a_folder_is_sent_once(here: Path, runs: Path) -> None:
    assert [len(unsent(runs / name)) for name in RUNS] == [2, 1, 1]
    with serving() as server:
        result = _sync(here, "runs", WANDB_MODE="offline", **server.environment)
        assert (result.code, result.err) == (0, "")
        assert result.out.splitlines() == [
            f"sync    sending 3 runs to http://127.0.0.1:{server.port} ...",
            "sync    3 runs sent",
        ]
        assert set(server.runs) == {"a", "b", "c"}
        ends = [f for f in server.requests if f.endswith("/file_stream")]
        assert {f.split("/")[-2] for f in ends} == {"a", "b", "c"}
        assert sum(body.count("val/macro_f1") > 0 for body in server.sent) >= 3
        server.requests.clear()
        result = _sync(here, "runs", **server.environment)
        assert result.code == 0
        assert result.out == "sync    nothing to send: W&B keeps nothing offline in 'runs'\n"
        assert server.requests == []
        _keep_offline(runs / "crabs" / "c")  # which goes on
        result = _sync(here, "runs", **server.environment)
        assert result.out.splitlines()[-1] == "sync    1 run sent"


@pytest.mark.slow
def test_only_what_is_named_is_sent(here: Path, runs: Path) -> None:
    trials = runs / "sweeps" / "s" / "trials"
    trials.mkdir(parents=True)
    (trials / "0.json").write_text(json.dumps({"overrides": [], "run": "runs/crabs/c"}))
    with serving() as server:
        for word, sent in (("runs/sweeps/s", ["c"]), ("latest", ["b"]), ("fish/a", ["a"])):
            server.runs.clear()
            result = _sync(here, word, **server.environment)
            assert result.out.splitlines()[-1] == "sync    1 run sent", result.err
            assert list(server.runs) == sent
    assert [unsent(runs / name) for name in RUNS] == [[], [], []]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("mode", "why"),
    [
        ("gone", "nothing was sent: '127.0.0.1' cannot be reached"),
        ("hangs", "nothing was sent: '127.0.0.1' cannot be reached: no answer within 5 seconds"),
        ("fails", "nothing was sent: '127.0.0.1' cannot be reached: error 500"),
        ("no key", "nothing was sent: no API key: set WANDB_API_KEY or run 'wandb login'"),
    ],
)
def test_a_server_that_cannot_be_reached(here: Path, runs: Path, mode: str, why: str) -> None:
    with serving(mode) as server:
        variables = server.environment
        if mode != "gone":
            key = "" if mode == "no key" else KEY
            result = _sync(here, **{**variables, "WANDB_API_KEY": key})
    if mode == "gone":
        result = _sync(here, **variables)
    assert (result.code, result.out) == (2, "")
    assert result.err == f"osprey sync: {why}\n"
    assert unsent(runs / "fish" / "b")


@pytest.mark.slow
def test_a_server_that_refuses(here: Path, runs: Path) -> None:
    with serving("denies") as server:
        result = _sync(here, "runs", **server.environment)
    assert result.code == 2
    (line,) = result.err.splitlines()
    assert line.startswith("osprey sync: 3 runs of 3 could not be sent, such as 'runs/crabs/c' (")
    assert line.endswith("): they are kept; try again")
    assert "401" in line


@pytest.mark.slow
def test_a_run_that_is_being_trained_waits(here: Path, runs: Path) -> None:
    with serving() as server, RunFolder(runs / "fish" / "b").held():
        result = _sync(here, "fish", **server.environment)
    assert result.code == 0, result.err
    lines = result.out.splitlines()
    assert lines[0] == "note    run 'runs/fish/b' is being trained by another process: not sent"
    assert lines[-1] == "sync    1 run sent"
    assert unsent(runs / "fish" / "b") and not unsent(runs / "fish" / "a")


def test_without_wandb_or_with_an_old_one(
    here: Path, osprey: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = here / "runs" / "fish" / "a"
    (folder / "wandb" / "offline-run-1-a").mkdir(parents=True)
    (folder / "wandb" / "offline-run-1-a" / "run-a.wandb").touch()
    (folder / "config.yaml").touch()
    version = importlib.metadata.version
    monkeypatch.setattr(
        importlib.metadata, "version", lambda name: "0.29.1" if name == "wandb" else version(name)
    )
    result = osprey("sync", "fish/a")
    assert (result.code, result.out) == (2, "")
    assert result.err == "osprey sync: wandb 0.29.1 is too old: pip install 'wandb>=0.30'\n"
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *_: None if name == "wandb" else find(name, *_)
    )
    result = osprey("sync", "fish/a")
    assert result.err == "osprey sync: W&B is not installed: pip install 'wandb>=0.30'\n"


def test_what_is_not_there(here: Path, osprey: Callable[..., Result]) -> None:
    assert osprey("sync").err == (
        "osprey sync: there is no finished run under 'runs': train one with 'osprey train'\n"
    )
    (here / "runs" / "fish").mkdir(parents=True)
    result = osprey("sync", "runs/fihs")
    assert result.code == 2 and result.err.startswith("osprey sync: there is no run 'runs/fihs'")


def test_a_name_that_is_looked_up_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    over = threading.Event()

    def look_up(*_: object, **__: object) -> None:
        over.wait()
        raise OSError

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    monkeypatch.setattr(wandb_server, "_PATIENCE", 0.1)
    why = wandb_server.why_unreachable("http://wandb.invalid")
    over.set()
    assert why == "'wandb.invalid' cannot be reached: no answer within 0.1 seconds"


def test_a_run_keeps_its_id(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WANDB_SWEEP_ID", raising=False)
    monkeypatch.setenv("WANDB_RUN_ID", "agents")
    run = tmp_path / "20260101-120000-abcd"
    assert id_of(run) == run.name, "a variable alone would make all trials one run"
    monkeypatch.setenv("WANDB_SWEEP_ID", "sweep")
    assert id_of(run) == "agents"
    monkeypatch.delenv("WANDB_SWEEP_ID")
    for name in ("agents", "another"):
        folder = run / "wandb" / f"offline-run-1-{name}"
        folder.mkdir(parents=True)
        (folder / f"run-{name}.wandb").touch()
        assert id_of(run) == "agents"
    (folder / f"run-{run.name}.wandb").touch()
    assert id_of(run) == run.name, "the others are those of a logger of the user's"
