"""Settings of the ``sweep`` group: ``osprey train -m sweep=optuna|grid``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from osprey.config.fields import setting

SAMPLERS = ("tpe", "random", "qmc", "cmaes", "gp", "grid")
PRUNERS = ("none", "median", "hyperband", "patient")
OBJECTIVES = ("monitor", "speed", "parameters", "bytes")


@dataclass
class SweepConfig:
    """What a sweep tries (-m sweep=optuna, -m sweep=grid), and where its trials run."""

    trials: int | None = setting(
        None, "in all, those of before a resume too; null: all of a grid", low=1
    )
    sampler: str = setting("tpe", "how the next trial is chosen", choices=SAMPLERS)
    pruner: str = setting(
        "none", "which trials end early, by the monitored figure", choices=PRUNERS
    )
    objectives: list[str] = setting(
        ["monitor"],
        "monitored figure, photos a second, parameters, bytes: several for a Pareto front",
        choices=OBJECTIVES,
    )
    seeds: int = setting(1, "trainings of each trial, whose mean counts", low=1)
    workers: int = setting(1, "processes that train at the same time", low=1, high=256)
    devices: Any = setting(
        "auto", "GPUs to share out: auto, none, or a list; one named twice is shared"
    )
    params: dict[str, Any] = setting({}, "the space, unless the command line gives one")
    space: dict[str, Any] = setting(
        {"_target_": None}, "_target_ of a function: given the trial, returns settings"
    )
    max_failures: int | None = setting(None, "failed trials after which no other begins", low=1)
    fail_fast: bool = setting(False, "end the sweep with the first failed trial")
    keep_pruned: bool = setting(False, "keep the best checkpoint of trials that ended early")
    reports: str = setting("winner", "whose report.html is written", choices=("winner", "all"))
    resume: str | None = setting(None, "folder of a sweep to go on with, or latest")
    allow_changes: bool = setting(False, "go on although space or settings are others")
    storage: str | None = setting(
        None, "of the study: an Optuna URL or a .journal file; null: in the sweep's folder"
    )
    study: str | None = setting(None, "its name there; sweeps of one name share their trials")


@dataclass
class Sweep:
    """Where a sweep's settings stand."""

    sweep: SweepConfig
