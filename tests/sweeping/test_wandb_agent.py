"""W&B's own agent drives the same script; and Osprey's trials are grouped under their sweep."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from conftest import REPOSITORY, TINY, environment, only_run, run_process
from documents import files

RUN, SWEEP = "k3wq8f2a", "sw33p1d0"
# As `wandb agent` does once its server has answered with the next run.
_AGENT = """
import json, os, sys
from wandb.wandb_agent import Agent
command, program, args, run = map(json.loads, sys.argv[1:])
agent = Agent(None, None, sweep_id=os.environ["WANDB_SWEEP_ID"])
agent._sweep_command = command
agent._command_run({"type": "run", "run_id": run, "program": program, "args": args})
sys.exit(agent._run_processes[run].wait())
"""
QUIET = [w for w in TINY if not w.startswith(("optimizer.lr", "trainer.max_epochs"))]


def _offline(here: Path) -> dict[str, str]:
    return {"WANDB_MODE": "offline", "HOME": str(here), "NETRC": str(here / "none")}


def _call_agent(here: Path, recipe: dict[str, Any], values: dict[str, Any]) -> Any:
    """Let the agent run one trial of the recipe."""
    args = {name: {"value": value} for name, value in values.items()}
    words = [recipe["command"], recipe["program"], args, RUN]
    script = [sys.executable, "-c", _AGENT, *map(json.dumps, words)]
    return subprocess.run(
        script,
        cwd=here,
        env=environment(
            PATH=os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
            WANDB_SWEEP_ID=SWEEP,
            WANDB_PROJECT=recipe["project"],
            WANDB_ENTITY="me",
            **_offline(here),
        ),
        capture_output=True,
        text=True,
        timeout=300,
    )


@pytest.mark.slow
def test_the_documented_recipe_as_the_agent_runs_it(here: Path, photos: Path) -> None:
    recipe = yaml.safe_load(files(REPOSITORY / "docs" / "sweeps.md")["mine/agent.yaml"])
    (here / "scripts").symlink_to(REPOSITORY / "scripts")
    root = recipe["command"].index("data.root=PHOTOS")
    recipe["command"][root] = f"data.root={photos}"
    recipe["command"] += [*QUIET, "trainer.max_epochs=1"]
    values = {"optimizer.lr": 0.00731, "model": recipe["parameters"]["model"]["values"][0]}
    assert values.keys() == recipe["parameters"].keys()
    done = _call_agent(here, recipe, values)
    assert done.returncode == 0, done.stderr
    run = only_run(here)
    config = yaml.safe_load((run / "config.yaml").read_text())
    assert config["optimizer"]["lr"] == 0.00731
    assert config["model"]["name"] == values["model"]
    (log,) = run.glob("wandb/offline-run-*/*.wandb")
    assert log.name == f"run-{RUN}.wandb", "the run is the one that the agent was told to run"
    record = log.read_bytes()
    assert SWEEP.encode() in record
    assert recipe["metric"]["name"].encode() in record, "what W&B is to maximise is logged"

    resumed = ["train", "resume=latest", "trainer.max_epochs=2"]
    result = run_process(resumed, here, **_offline(here))
    assert result.code == 0, result.err
    names = {p.name for p in run.glob("wandb/offline-run-*/*.wandb")}
    assert names == {log.name}, "also on resume, without the agent"


@pytest.mark.slow
@pytest.mark.parametrize("sweep", ["", "sweep=grid"])
def test_trials_are_grouped_under_their_sweep(here: Path, photos: Path, sweep: str) -> None:
    if sweep:
        pytest.importorskip("optuna", reason="the extra 'sweep' is not installed")
    words = ["train", "-m", "data=folder", f"data.root={photos}", *QUIET, "trainer.max_epochs=1"]
    result = run_process([*words, "logger=wandb", "seed=0,1", *filter(None, [sweep])], here)
    assert result.code == 0, result.err
    (folder,) = here.glob("runs/sweeps/*/trials")
    logs = list(here.glob("runs/*/*/wandb/offline-run-*/*.wandb"))
    assert len({log.name for log in logs}) == 2, "each trial its own run"
    for log in logs:
        assert folder.parent.name.encode() in log.read_bytes()
