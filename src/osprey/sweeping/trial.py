"""A trial that Hydra's own launchers run; it leaves a file, so that any sweeper may have it run."""

from __future__ import annotations

import os
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.experimental.callback import Callback
from omegaconf import DictConfig

from osprey.config.chosen import overrides_of_job
from osprey.engine.loggers.wandb_sync import GROUP
from osprey.errors import Interrupted, UserError
from osprey.sweeping.records import print_ranking, read_records, write_record
from osprey.system.console import warn
from osprey.tasks.registry import shown_metrics

_failed: list[bool] = []  # of the sweep that this process has just run


def begin() -> None:
    """Forget an earlier sweep of this process."""
    _failed.clear()


def exit_code() -> int:
    """1 where a trial of the sweep failed."""
    return int(any(_failed))


def note_failures(any_failed: bool) -> None:
    """Of a sweep that is at its end."""
    _failed.append(any_failed)


def trial(cfg: DictConfig) -> float:
    """One trial: as `osprey.commands.train.job`, but one that fails does not end the others."""
    from osprey.engine.experiment import train_composed

    hydra, overrides = HydraConfig.get(), overrides_of_job()
    record: dict[str, Any] = {"overrides": overrides, "value": None}
    try:
        with _as_group(Path(hydra.sweep.dir).name):
            run, summary, value = train_composed(cfg)
        config = run.load_config()
        metric = asdict(shown_metrics(config.task.name, config.monitor, config.mode)[0])
        record |= {"run": str(run.path), "summary": summary, "value": value, "metric": metric}
    except Interrupted:  # a signal ends the whole sweep
        raise
    except Exception as error:
        known = isinstance(error, UserError)
        warn(f"trial {' '.join(overrides)} failed: " + (str(error) if known else ""))
        if not known:
            traceback.print_exception(error)
        record["failure"] = str(error) if known else f"{type(error).__name__}: {error}"
    write_record(Path(hydra.runtime.cwd) / hydra.sweep.dir, int(hydra.job.num), record)
    value = record["value"]
    return float("nan") if value is None else float(value)


@contextmanager
def _as_group(sweep: str) -> Iterator[None]:
    """Let W&B group the trials by their sweep, unless the user has named a group."""
    if os.environ.get(GROUP):
        yield
        return
    os.environ[GROUP] = sweep
    try:
        yield
    finally:
        del os.environ[GROUP]


class Ranking(Callback):
    """Says which trial won, and how to have it again, when all are done."""

    def on_multirun_end(self, config: DictConfig, **kwargs: Any) -> None:
        """Called by Hydra in the process that began the sweep."""
        if config.get("sweep") is not None:  # Osprey's own sweeps say it themselves
            return
        records = read_records(Path(config.hydra.runtime.cwd) / config.hydra.sweep.dir)
        if records:
            print_ranking(records, "osprey train")
            note_failures(any("failure" in record for record in records))
