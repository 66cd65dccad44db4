"""Trials of a sweep; each leaves a file, so that any sweeper and launcher may run them."""

from __future__ import annotations

import json
import shlex
import traceback
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.experimental.callback import Callback
from hydra.types import RunMode
from omegaconf import DictConfig, open_dict

from osprey.config.call import Call
from osprey.config.compose import compose_call, explained, opened
from osprey.errors import ConfigError, Interrupted, UserError
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


def check_trials(call: Call, check: Callable[[DictConfig, list[str]], None]) -> None:
    """Compose and check every trial of a sweep before the first one begins.

    Another's sweeper finds its trials as it goes: of those nothing is known yet.

    Args:
        call: The sweep.
        check: Given a trial's configuration and settings, raises where they cannot be used.

    Raises:
        UserError: A trial cannot be composed or used; the line names it.
    """
    trials = list(_trials(call))
    for words, shown in trials:
        mistake = _mistake(call, words, check)
        if mistake is None:
            continue
        last = trials[-1][0]
        if len(trials) == 1 or (
            words is not last and str(_mistake(call, last, check)) == str(mistake)
        ):
            raise mistake  # of all trials
        raise ConfigError(f"{mistake} (in the trial {' '.join(shown)})")


def _mistake(
    call: Call, words: list[str], check: Callable[[DictConfig, list[str]], None]
) -> UserError | None:
    """Why one trial cannot be used."""
    try:
        cfg = compose_call(call, words, with_hydra=True)
        with opened(call):  # what a trial asks of Hydra while it runs
            HydraConfig.instance().set_config(cfg)
            with open_dict(cfg):
                del cfg["hydra"]
            check(cfg, list(words))
    except UserError as error:
        return error
    return None


def _trials(call: Call) -> Iterator[tuple[list[str], list[str]]]:
    """The settings of each trial, and those of them that differ between trials."""
    with opened(call):
        hydra = GlobalHydra.instance().hydra
        assert hydra is not None
        sweep = hydra.compose_config(
            config_name=call.config_name,
            overrides=list(call.words),
            run_mode=RunMode.MULTIRUN,
            with_log_configuration=False,
            from_shell=False,
            validate_sweep_overrides=False,
        )
        sweeper = sweep.hydra.sweeper
        if not str(sweeper._target_).endswith(".BasicSweeper"):
            return
        params = [f"{key}={value}" for key, value in (sweeper.params or {}).items()]
        parser = OverridesParser.create(config_loader=hydra.config_loader)
        parsed = parser.parse_overrides([*params, *call.words])
    swept = {o.get_key_element() for o in parsed if o.is_sweep_override()}
    with explained(call):
        (trials,) = BasicSweeper.split_arguments(parsed, None)
    for words in trials:
        yield words, [word for word in words if word.partition("=")[0] in swept] or words


def trial(cfg: DictConfig) -> float:
    """One trial: as `osprey.commands.train.job`, but one that fails does not end the others."""
    from osprey.commands.train import overrides_of_job, train_composed

    overrides = overrides_of_job()
    record: dict[str, Any] = {"overrides": overrides, "value": None}
    try:
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
