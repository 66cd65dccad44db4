"""``osprey train``: compose, check, prepare the data, train, test."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from osprey.commands import sweep
from osprey.commands.resume import resume
from osprey.commands.settings_help import asks_help, show_help
from osprey.config.call import read_call
from osprey.config.compose import run_call
from osprey.errors import Interrupted
from osprey.runs.donor import with_runs_named
from osprey.runs.folder import RunFolder
from osprey.system.console import say
from osprey.tasks.registry import shown_metrics


def main(argv: list[str]) -> int:
    """Train one run, resume one, or sweep over several."""
    if asks_help(argv):
        return show_help("train", argv, PROGRAM)
    argv = with_runs_named(argv)
    if any(word.startswith("resume=") and word != "resume=null" for word in argv):
        return _exit_code(lambda: resume(argv))
    call = read_call("train", argv, PROGRAM)
    if not call.line.several:
        return _exit_code(lambda: run_call(call, job))
    sweep.begin()
    sweep.check_trials(call, check_settings)
    code = _exit_code(lambda: run_call(call, sweep.trial))
    return sweep.exit_code() if code == 0 else code


def check_settings(cfg: DictConfig, overrides: list[str]) -> None:
    """Check one job before its data is read."""
    from osprey.engine.prepare import check_settings

    check_settings(cfg, overrides)


PROGRAM = "osprey train"


def job(cfg: DictConfig) -> float:
    """One training; its monitored figure."""
    return train_composed(cfg)[2]


def train_composed(cfg: DictConfig) -> tuple[RunFolder, dict[str, Any], float]:
    """Train what Hydra composed, while it runs the job; the run, its summary, its figure."""
    from osprey.engine.experiment import monitored_value, train

    if cfg.extras.print_config:
        say(OmegaConf.to_yaml(cfg, resolve=False))
    run, summary = train(cfg, overrides_of_job())
    config = run.load_config()
    metric = shown_metrics(config.task.name, config.monitor, config.mode)[0]
    return run, summary, monitored_value(metric, summary)


def overrides_of_job() -> list[str]:
    """What the command line sets, while Hydra runs a job."""
    found = OmegaConf.to_container(HydraConfig.get().overrides.task, resolve=False)
    return cast("list[str]", found)


def _exit_code(action: Callable[[], object]) -> int:
    """Run ``action``; a run stopped by a signal has that signal's exit code."""
    try:
        action()
    except Interrupted as stop:
        return stop.code
    return 0
