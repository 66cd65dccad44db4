"""``osprey train``: compose, check, prepare the data, train, test."""

from __future__ import annotations

from collections.abc import Callable

from omegaconf import DictConfig

from osprey.commands.settings_help import asks_help, show_help
from osprey.config.call import read_call
from osprey.config.compose import run_call
from osprey.engine.resume import resume
from osprey.errors import Interrupted
from osprey.runs.donor import with_runs_named
from osprey.sweeping.preflight import check_trials, refuse_sweep_words
from osprey.sweeping.resuming import with_sweep_resumed
from osprey.sweeping.trial import begin, exit_code, trial
from osprey.system.ending import ending


def main(argv: list[str]) -> int:
    """Train one run, resume one, or sweep over several."""
    if asks_help(argv):
        return show_help("train", argv, PROGRAM)
    with ending(argv) as outcome:
        outcome.code = _train(argv)
        return outcome.code


def _train(argv: list[str]) -> int:
    argv = with_sweep_resumed(with_runs_named(argv))
    if any(word.startswith("resume=") and word != "resume=null" for word in argv):
        return _exit_code(lambda: resume(argv))
    call = read_call("train", argv, PROGRAM)
    if not call.line.several:
        refuse_sweep_words(call.words)
        return _exit_code(lambda: run_call(call, job))
    begin()
    check_trials(call, check_settings)
    code = _exit_code(lambda: run_call(call, trial))
    return exit_code() if code == 0 else code


def check_settings(cfg: DictConfig, overrides: list[str]) -> None:
    """Check one job before its data is read."""
    from osprey.engine.prepare import check_settings

    check_settings(cfg, overrides)


PROGRAM = "osprey train"


def job(cfg: DictConfig) -> float:
    """One training; its monitored figure."""
    from osprey.engine.experiment import train_composed

    return train_composed(cfg)[2]


def _exit_code(action: Callable[[], object]) -> int:
    """Run ``action``; a run stopped by a signal has that signal's exit code."""
    try:
        action()
    except Interrupted as stop:
        return stop.code
    return 0
