"""``osprey train``: compose, check, prepare the data, train, test."""

from __future__ import annotations

import shlex
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig

from osprey.config.compose import run_hydra
from osprey.config.schema import TrainConfig
from osprey.errors import ConfigError, Interrupted, UserError, nearest
from osprey.runs.donor import with_runs_named
from osprey.runs.folder import RunFolder, find_run
from osprey.system.console import say, warn
from osprey.tasks.checks import validate_run
from osprey.tasks.registry import DEFAULT_TASK, get_task

if TYPE_CHECKING:
    pass

# What may differ when a run goes on. Anything else would not fit its checkpoint, or be ignored.
CHANGEABLE = (
    *("trainer.max_epochs", "trainer.accelerator", "trainer.devices", "trainer.strategy"),
    *("data.num_workers", "data.eval_batch_size", "data.cache", "data.root"),
    *("callbacks.early_stopping", "callbacks.progress", "logger.", "paths."),
)


def main(argv: list[str]) -> int:
    """Train one run, resume one, or sweep over several."""
    argv = with_runs_named(argv)
    if any(word.startswith("resume=") and word != "resume=null" for word in argv):
        return _exit_code(lambda: _resume(argv))
    sweep = any(word in ("-m", "--multirun") for word in argv)
    results: list[tuple[list[str], RunFolder | None, dict[str, Any] | None]] = []

    def job(cfg: DictConfig, overrides: list[str]) -> None:
        try:
            results.append((overrides, *_train(cfg, overrides)))
        except Exception as error:
            if not sweep or isinstance(error, Interrupted):  # a signal ends the whole sweep
                raise
            # One bad trial must not end the others.
            known = isinstance(error, UserError)
            warn(f"trial {' '.join(overrides)} failed: " + (str(error) if known else ""))
            if not known:
                traceback.print_exception(error)
            results.append((overrides, None, None))

    code = _exit_code(lambda: run_hydra("train", argv, job, "osprey train"))
    if sweep and results and code == 0:
        return _report_sweep(results)
    return code


def _exit_code(action: Callable[[], None]) -> int:
    """Run ``action``; a run stopped by a signal has that signal's exit code."""
    try:
        action()
    except Interrupted as stop:
        return stop.code
    return 0


def _train(cfg: DictConfig, overrides: list[str]) -> tuple[RunFolder, dict[str, Any]]:
    from osprey.engine.prepare import check_and_prepare
    from osprey.runs.environment import describe_environment

    config, prepared = check_and_prepare(cfg, overrides)
    run = RunFolder.create(Path(config.paths.runs), config.name)
    run.save_config(config)
    run.save_manifest(prepared.manifest)
    run.write_text("overrides.txt", "".join(f"{line}\n" for line in overrides))
    run.write_json("environment.json", describe_environment(prepared.manifest.digest()))
    if prepared.unreadable:
        import pandas as pd

        table = pd.DataFrame(prepared.unreadable.items(), columns=["path", "reason"])
        run.write_text("unreadable.csv", table.to_csv(index=False))
    if len(prepared.mended):
        run.write_text("boxes_mended.csv", prepared.mended.to_csv(index=False))
    del prepared  # training reads the run folder; a table of a million rows is not held twice
    try:
        with run.held():
            return run, _finish(run, config)
    except UserError:
        run.discard_if_empty()
        raise


def _finish(run: RunFolder, config: TrainConfig) -> dict[str, Any]:
    from osprey.engine.finalize import report
    from osprey.engine.launch import train_run

    try:
        summary = train_run(run, config)
    except Interrupted:
        again = shlex.join(["osprey", "train", f"resume={run.path}"])
        if run.last.is_file():
            warn(f"stopped, state saved; to go on: {again}")
        else:
            warn("stopped before there was anything to save")
        raise
    report(run, summary)
    return summary


def _resume(argv: list[str]) -> None:
    """Go on with a run as it was configured; what shapes model or schedule stays as it was."""
    changes = _parse_resume(argv)
    word = str(changes.pop("resume"))
    run = find_run(word, Path(str(changes.get("paths.runs", "runs"))), resumable=True)
    if not run.last.is_file():
        raise UserError(f"run '{run.path}' has no last.ckpt to go on from")
    config = run.load_config(list(changes.items()))
    config.resume = word  # pretrained weights are not read again and need not be there
    validate_run(config)

    from osprey.engine.devices import process_count

    process_count(config)
    with run.held():
        run.save_config(config)
        run.reopen()
        _finish(run, config)


def _parse_resume(argv: list[str]) -> dict[str, Any]:
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.errors import HydraException

    from osprey.config.compose import explain
    from osprey.config.overrides import quoted

    if any(word.startswith("-") for word in argv):
        raise ConfigError("resume goes on with one run: it takes key=value settings and no flags")
    try:
        parsed = OverridesParser.create().parse_overrides(quoted(argv))
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


def _report_sweep(
    results: list[tuple[list[str], RunFolder | None, dict[str, Any] | None]],
) -> int:
    """Which trial won, and how to have it again."""
    done = [(o, r, s) for o, r, s in results if s is not None]
    # Trials of different tasks cannot be ranked; the first one's figure is what the list is by.
    metric = get_task(done[0][2]["task"] if done else DEFAULT_TASK).metrics[0]
    done.sort(key=lambda item: -metric.rank(float(item[2]["val"].get(metric.key, 0.0))))
    say()
    say(f"sweep, best first by validation {metric.name}:")
    for overrides, run, summary in done:
        figures = [
            f"{split} {summary[split].get(metric.key, float('nan')):{metric.format}}"
            for split in ("val", "test")
            if split in summary
        ]
        say(f"  {'  '.join(figures)}  {' '.join(overrides)}  {run.path if run else ''}")
    failed = [o for o, _, s in results if s is None]
    for overrides in failed:
        say(f"  failed           {' '.join(overrides)}")
    if done:
        say(f"again:  {shlex.join(['osprey', 'train', *done[0][0]])}")
    return 1 if failed else 0
