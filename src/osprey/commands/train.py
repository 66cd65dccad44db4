"""``osprey train``: compose, check, prepare the data, train, test."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from osprey.commands import sweep
from osprey.commands.settings_help import asks_help, show_help
from osprey.config.call import plugins_in, read_call
from osprey.config.compose import run_call
from osprey.config.schema import TrainConfig
from osprey.errors import ConfigError, Interrupted, UserError, nearest
from osprey.runs.donor import with_runs_named
from osprey.runs.folder import RunFolder, find_run
from osprey.system.console import say
from osprey.system.plugins import load_installed, load_plugins
from osprey.tasks.checks import validate_run
from osprey.tasks.registry import shown_metrics

# What may differ when a run goes on. Anything else would not fit its checkpoint, or be ignored.
CHANGEABLE = (
    *("trainer.max_epochs", "trainer.accelerator", "trainer.devices", "trainer.strategy"),
    *("data.num_workers", "data.eval_batch_size", "data.cache", "data.root", "plugins"),
    *("callbacks.early_stopping", "callbacks.progress", "logger.", "paths."),
)


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


def resume(argv: list[str]) -> RunFolder:
    """Go on with a run as it was configured; what shapes model or schedule stays as it was.

    Args:
        argv: ``resume=RUN`` and what may change.

    Returns:
        The run, trained to its end and tested.

    Raises:
        UserError: There is no such run, or a setting cannot be changed.
    """
    from osprey.data.folders import check_photos
    from osprey.engine.devices import process_count
    from osprey.engine.experiment import go_on

    changes = _parse_resume(argv)
    word = str(changes.pop("resume"))
    load_installed()
    load_plugins(plugins_in(argv))
    run = find_run(word, Path(str(changes.get("paths.runs", "runs"))), resumable=True)
    if not run.last.is_file():
        raise UserError(f"run '{run.path}' has no last.ckpt to go on from")
    config = run.load_config(list(changes.items()))
    config.resume = word  # pretrained weights are not read again and need not be there
    validate_run(config)
    process_count(config.trainer, config.data)
    if not config.data.is_foreign:
        check_photos(run.load_manifest(config.data.root))
    with run.held():
        run.save_config(config)
        run.reopen()
        go_on(run, config)
    return run


def _devices_of(word: str) -> list[str]:
    """``trainer=ddp_sim`` as the settings of devices that this option makes; else the word."""
    if not word.startswith("trainer="):
        return [word]
    from hydra import compose, initialize_config_dir
    from hydra.errors import HydraException

    from osprey.config.compose import CONFIG_DIR
    from osprey.config.errors import explain

    try:
        with initialize_config_dir(str(CONFIG_DIR), version_base="1.3"):
            chosen = compose("train", overrides=[word]).trainer
    except HydraException as error:
        raise explain(error) from None
    return [f"trainer.{key}={chosen[key]}" for key in ("accelerator", "devices", "strategy")]


def _parse_resume(argv: list[str]) -> dict[str, Any]:
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.errors import HydraException

    from osprey.config.errors import explain
    from osprey.config.overrides import quoted

    argv = [part for word in argv for part in _devices_of(word)]
    if any(word.startswith("-") for word in argv):
        raise ConfigError("resume goes on with one run: it takes key=value settings and no flags")
    try:
        parsed = OverridesParser.create().parse_overrides(quoted(argv, TrainConfig))
    except HydraException as error:
        raise explain(error) from None
    for override in parsed:
        key = override.get_key_element()
        if key != "resume" and not key.startswith(CHANGEABLE):
            near = nearest(key, CHANGEABLE)
            raise ConfigError(
                f"resume goes on with a run as it was: '{key}' cannot be changed{near} "
                f"(these can: {', '.join(CHANGEABLE)}); to start anew leave resume out"
            )
        if override.is_sweep_override():
            raise ConfigError(f"resume goes on with one run: give '{key}' one value")
    return {o.get_key_element(): o.value() for o in parsed}
