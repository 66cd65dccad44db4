"""One training from a composed configuration to a tested run: used by commands and the API."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from osprey.config.chosen import overrides_of_job
from osprey.config.compose import current_config_dir
from osprey.config.schema import TrainConfig
from osprey.data.prepare import DATA, Prepared, read_as
from osprey.engine.fitting import DECISIONS
from osprey.engine.prepare import check_and_prepare
from osprey.errors import Interrupted, UserError, exit_code_of
from osprey.runs.folder import RunFolder
from osprey.runs.trial_mark import mark_trial
from osprey.system.console import say, warn
from osprey.system.disk import system_failure
from osprey.system.ending import at_the_end
from osprey.system.launcher import Place, find_place
from osprey.system.trust import trust_targets
from osprey.tasks.registry import shown_metrics
from osprey.tasks.specs import MetricSpec


def train(cfg: DictConfig, overrides: Sequence[str]) -> tuple[RunFolder, dict[str, Any]]:
    """Train and test as ``cfg`` says, in a new run folder.

    Args:
        cfg: The composed configuration.
        overrides: Overrides of the command line, stored with the run.

    Returns:
        The run folder, and the content of its summary.json.

    Raises:
        Interrupted: After a signal; ``last.ckpt`` was saved.
        UserError: A setting, the data or the model cannot be used.
    """
    place = find_place()
    if place is not None:
        return _train_launched(cfg, overrides, place)
    run, config = _begin(cfg, overrides)
    try:
        with run.held():
            return run, go_on(run, config)
    except UserError:
        run.discard_if_empty()
        raise


def train_composed(cfg: DictConfig) -> tuple[RunFolder, dict[str, Any], float]:
    """Train what Hydra composed, while it runs the job; the run, its summary, its figure."""
    at_the_end(OmegaConf.select(cfg, "cost.on_end"))
    if cfg.extras.print_config:
        say(OmegaConf.to_yaml(cfg, resolve=False))
    run, summary = train(cfg, overrides_of_job())
    return run, summary, figure_of(run, summary)


def figure_of(run: RunFolder, summary: dict[str, Any]) -> float:
    """The monitored value of a finished run."""
    config = run.load_config()
    return monitored_value(shown_metrics(config.task.name, config.monitor, config.mode)[0], summary)


def _train_launched(
    cfg: DictConfig, overrides: Sequence[str], place: Place
) -> tuple[RunFolder, dict[str, Any]]:
    """The same as one of a launcher's processes: the first makes the run, all train it."""
    from osprey.engine.finalize import report
    from osprey.engine.fit import resolve_for_processes
    from osprey.engine.launch import share_run, train_run

    made: RunFolder | UserError | None = None
    if place.rank == 0:
        try:
            made, config = _begin(cfg, overrides, place)
            resolve_for_processes(made, config, place.world_size)
        except UserError as error:
            made = error
    trust_targets(OmegaConf.to_container(cfg, resolve=False))
    run = share_run(made)
    config = run.load_config()
    summary = train_run(run, config)
    if place.rank == 0:
        metrics = shown_metrics(config.task.name, config.monitor, config.mode)
        report(run, summary, metrics, config.task.target)
    return run, summary


def _begin(
    cfg: DictConfig, overrides: Sequence[str], place: Place | None = None
) -> tuple[RunFolder, TrainConfig]:
    """A new run folder with all that training reads."""
    config, prepared, decisions = check_and_prepare(cfg, overrides, place)
    run = RunFolder.create(Path(config.paths.runs), config.name)
    mark_trial(run)
    run.save_config(config)
    run.write_text("overrides.txt", "".join(f"{line}\n" for line in overrides))
    if decisions:
        run.write_json(DECISIONS, [asdict(decision) for decision in decisions])
    _describe_data(run, config, prepared)
    return run, config  # training reads the folder; a table of a million rows is not held twice


def _describe_data(run: RunFolder, config: TrainConfig, prepared: Prepared | None) -> None:
    """Write down what the run is made of: machine, code, photos and what was left out."""
    from osprey.runs.environment import describe_environment

    digest = None if prepared is None else prepared.manifest.digest()
    run.write_json("environment.json", describe_environment(digest, current_config_dir()))
    if prepared is None:
        return
    run.save_manifest(prepared.manifest)
    run.write_json(DATA, read_as(config.data, prepared))
    if prepared.unreadable:
        import pandas as pd

        table = pd.DataFrame(prepared.unreadable.items(), columns=["path", "reason"])
        run.write_text("unreadable.csv", table.to_csv(index=False))
    if len(prepared.mended):
        run.write_text("boxes_mended.csv", prepared.mended.to_csv(index=False))


def go_on(run: RunFolder, config: TrainConfig) -> dict[str, Any]:
    """Train a run from its current state to its end, test it, and print the results.

    Args:
        run: The run folder.
        config: Its configuration.

    Returns:
        The content of summary.json.

    Raises:
        Interrupted: After a signal; a line says how to resume.
        UserError: The model, its weights or the data cannot be used as configured.
    """
    from osprey.engine.finalize import report
    from osprey.engine.launch import train_run
    from osprey.system.plugins import plugin_setting

    words = ["osprey", "train", f"resume={run.path}", *plugin_setting()]
    try:
        summary = train_run(run, config)
    except (OSError, RuntimeError) as error:
        if system_failure(error) is not None:
            if run.last.is_file():
                warn(f"stopped; to go on when that is mended: {shlex.join(words)}")
            else:
                warn(f"stopped before an epoch was saved: train anew, and delete '{run.path}'")
        raise
    except (Interrupted, KeyboardInterrupt) as stop:
        if run.last.is_file():
            warn(f"stopped, state saved; to go on: {shlex.join(words)}")
        else:
            warn("stopped before there was anything to save")
        if isinstance(stop, Interrupted):
            raise
        raise Interrupted(exit_code_of(stop)) from None
    metrics = shown_metrics(config.task.name, config.monitor, config.mode)
    report(run, summary, metrics, config.task.target)
    return summary


def monitored_value(metric: MetricSpec, summary: dict[str, Any]) -> float:
    """The value by which a sweep compares trials.

    Args:
        metric: The monitored one.
        summary: Content of summary.json.

    Returns:
        The monitored metric on validation; NaN without one.
    """
    value = summary.get("val", {}).get(metric.key)
    return float("nan") if value is None else float(value)
