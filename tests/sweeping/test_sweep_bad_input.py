"""Mistakes in a sweep's command line: one line each, before any trial begins."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import Result
from sweeps import LR, words

pytest.importorskip("optuna", reason="the extra 'sweep' is not installed")


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["sweep.sampler=tpee"], "sweep.sampler: unknown 'tpee'; did you mean 'tpe'? (one of"),
        (["sweep.trails=3"], "unknown setting 'sweep.trails'; did you mean 'sweep.trials'?"),
        (["sweep=grid", LR], f"{LR}: a grid has no end there: give values, such as 1e-4,1e-3 or"),
        (["sweep=grid"], "the space is empty: give a setting several values, such as seed=0,1,2"),
        (["sweep.trials=null", LR], "sweep.trials is not set: say how many trials to make"),
        (["sweep.trials=0", LR], "sweep.trials: 0 is out of range (at least 1)"),
        (["sweep.devices=[7]", LR], "sweep.devices: no GPU 7 here (there is none)"),
        (["sweep.devices=x", LR], "sweep.devices=x: give auto, none, or GPUs such as [0,1]; one"),
        (["sweep.storage=x", LR], "sweep.storage: 'x' is neither a URL, such as sqlite:///x.db,"),
        (["sweep.storage=sqlite:////no/x.db", LR], "sweep.storage: 'sqlite:////no/x.db' cannot be"),
        (["sweep.sampler=tpe,random", LR], "sweep.sampler=tpe,random: give it one value; several"),
        (
            ["monitor=val/top1,val/log_loss"],
            "monitor: trials are ranked by one figure: give it",
        ),
        (["hydra/launcher=basic", LR], "hydra/launcher=basic: sweep=... has workers of its own"),
        (["hydra/sweeper=basic", LR], "hydra/sweeper: sweep=... brings a sweeper of its own, not"),
        (["sweep.objectives=[monitor,speed]", "sweep.workers=2", LR], "sweep.objectives: speed is"),
        (["sweep.study=x", LR], "sweep.study names a study in sweep.storage: give that, too"),
        (["sweep.resume=gone"], "there is no sweep 'gone'; name a folder below runs/sweeps"),
        (["sweep.resume=latest"], "there is no sweep under 'runs/sweeps': begin one with -m"),
        (["model=resnt18,vit_small"], "no model called 'resnt18'; did you mean 'resnet18'?"),
        (["sweep.objectives=[monitor,speed]", "sweep.pruner=median", LR], "sweep.pruner=median"),
        (["sweep.seeds=2", "seed=1,2"], "sweep.seeds=2: seed is in the space already"),
        (
            ["monitor=val/macro_f2", LR],
            "monitor=val/macro_f2 is not logged; did you mean 'val/macro_f1'",
        ),
    ],
)
def test_bad_input_is_one_line_before_any_trial(
    here: Path, photos: Path, osprey: Callable[..., Result], more: list[str], message: str
) -> None:
    result = osprey(*words(photos, "sweep=optuna", *more))
    assert result.code == 2
    assert result.err.startswith(f"osprey train: {message}")
    assert result.err.count("\n") == 1
    assert not list(here.glob("runs/sweeps/*"))


def test_settings_of_a_sweep_want_a_sweep(
    here: Path, photos: Path, osprey: Callable[..., Result]
) -> None:
    alone = osprey(*(w for w in words(photos, "sweep=optuna") if w != "-m"))
    assert (alone.code, alone.err) == (2, "osprey train: sweep=optuna is of a sweep: add -m\n")
    chosen = osprey(*words(photos, "sweep.trials=3", "seed=1,2"))
    assert chosen.err == (
        "osprey train: sweep.trials is of a sweep: choose one with -m sweep=optuna or sweep=grid\n"
    )
