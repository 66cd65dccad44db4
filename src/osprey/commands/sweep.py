"""Trials of a sweep; each leaves a file, so that any sweeper and launcher may run them."""

from __future__ import annotations

import json
import shlex
import traceback
from dataclasses import asdict
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.experimental.callback import Callback
from omegaconf import DictConfig

from osprey.errors import Interrupted, UserError
from osprey.system.console import say, warn
from osprey.system.files import write_json
from osprey.tasks.plugin import MetricSpec
from osprey.tasks.registry import shown_metrics

TRIALS = "trials"  # the folder of a sweep with a file a trial
_failed: list[bool] = []  # of the sweep that this process has just run


def begin() -> None:
    """Forget an earlier sweep of this process."""
    _failed.clear()


def exit_code() -> int:
    """1 where a trial of the sweep failed."""
    return int(any(_failed))


def trial(cfg: DictConfig) -> float:
    """One trial: as `osprey.commands.train.job`, but one that fails does not end the others."""
    from osprey.commands.train import overrides_of_job, train_composed

    overrides = overrides_of_job()
    record: dict[str, Any] = {"overrides": overrides, "value": None}
    try:
        run, summary, value = train_composed(cfg)
        metric = asdict(shown_metrics(run.load_config())[0])
        record |= {"run": str(run.path), "summary": summary, "value": value, "metric": metric}
    except Interrupted:  # a signal ends the whole sweep
        raise
    except Exception as error:
        known = isinstance(error, UserError)
        warn(f"trial {' '.join(overrides)} failed: " + (str(error) if known else ""))
        if not known:
            traceback.print_exception(error)
        record["failure"] = str(error) if known else f"{type(error).__name__}: {error}"
    _write(record)
    value = record["value"]
    return float("nan") if value is None else float(value)


def _write(record: dict[str, Any]) -> None:
    hydra = HydraConfig.get()
    folder = Path(hydra.runtime.cwd) / hydra.sweep.dir / TRIALS
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / f"{int(hydra.job.num):05d}.json", record)


class Ranking(Callback):
    """Says which trial won, and how to have it again, when all are done."""

    def on_multirun_end(self, config: DictConfig, **kwargs: Any) -> None:
        """Called by Hydra in the process that began the sweep."""
        folder = Path(config.hydra.runtime.cwd) / config.hydra.sweep.dir / TRIALS
        files = sorted(folder.glob("*.json"))
        records = [json.loads(file.read_text(encoding="utf-8")) for file in files]
        if records:
            _report(records)
            _failed.append(any("failure" in record for record in records))


def _report(records: list[dict[str, Any]]) -> None:
    done = [record for record in records if "failure" not in record]
    # Trials of different tasks cannot be ranked; the first one's figure is what the list is by.
    metric = MetricSpec(**done[0]["metric"]) if done else None
    say()
    if metric is not None:
        done.sort(key=lambda record: -metric.rank(float(record["value"])))
        say(f"sweep, best first by validation {metric.name}:")
    for record in done:
        assert metric is not None
        summary = record["summary"]
        shown = [
            f"{split} {summary[split].get(metric.key, float('nan')):{metric.format}}"
            for split in ("val", "test")
            if split in summary
        ]
        say(f"  {'  '.join(shown)}  {' '.join(record['overrides'])}  {record['run']}")
    for record in records:
        if "failure" in record:
            say(f"  failed           {' '.join(record['overrides'])}")
    if done:
        say(f"again:  {shlex.join(['osprey', 'train', *done[0]['overrides']])}")
