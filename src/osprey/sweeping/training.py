"""One training of a sweep, within a worker."""

from __future__ import annotations

import os
import sys
import time
import traceback
from dataclasses import asdict
from multiprocessing.connection import Connection
from typing import Any

from osprey.errors import Interrupted, OutOfMemory, Pruned, UserError
from osprey.runs.folder import RunFolder
from osprey.runs.trial_mark import Begun, as_trial
from osprey.sweeping.jobs import PRUNED, Done, Epoch, Job, Timed, asked_to_end
from osprey.system.disk import system_failure

_TO_SAVE = 90.0  # seconds that a worker without its sweep may need


class _Reporter:
    """Passes what a training says of itself to the sweep."""

    def __init__(self, pipe: Connection) -> None:
        self.pipe = pipe

    def timed(self, minutes: float, size: int) -> None:
        """What the whole training will take."""
        self.pipe.send(Timed(minutes, size))

    def epoch(self, number: int, value: float) -> bool:
        """Whether the trial is to end here."""
        self.pipe.send(Epoch(number, value))
        return bool(self.pipe.recv())


def train(job: Job, pipe: Connection) -> Done:
    """Train one job; whatever goes wrong is its record.

    Args:
        job: What to train.
        pipe: Where each epoch is reported.
    """
    from osprey.engine.callbacks.trial_reports import reporting_to
    from osprey.system.plugins import command_scope

    mark = as_trial(job.mark, job.sharers, bare=job.bare)
    with command_scope(), mark as begun, reporting_to(_Reporter(pipe)):
        if job.before is not None:
            begun.run = RunFolder(job.before)
        try:
            if job.present_only:
                _present(job)
                return Done()
            return Done(_trained(job, begun))
        except Pruned as end:
            return Done({"pruned": end.epochs, **_tidy_pruned(job, begun, end.epochs)})
        except (Interrupted, KeyboardInterrupt):
            return _stopped(begun)
        except UserError as error:
            if asked_to_end.is_set():
                return _stopped(begun)
            print(f"osprey train: {error}", file=sys.stderr)
            return Done(_failed(str(error), error, begun))
        except (Exception, SystemExit) as error:
            if asked_to_end.is_set():
                return _stopped(begun)
            known = system_failure(error) if isinstance(error, OSError | RuntimeError) else None
            traceback.print_exc()
            line = known or f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
            record = _failed(line, error, begun)
            return Done(record, healthy=False, system=known is not None)


def _failed(why: str, error: BaseException, begun: Begun) -> dict[str, Any]:
    retry = {"retry": True} if _may_pass(error) else {}
    return {"failure": why, **retry, **_place(begun)}


def _may_pass(error: BaseException) -> bool:
    """Whether another time it may not come: no memory, or a loader process that was killed."""
    from osprey.tuning.memory import is_out_of_memory

    if isinstance(error, OutOfMemory | MemoryError) or is_out_of_memory(error):
        return True
    return isinstance(error, RuntimeError) and "DataLoader worker (pid" in str(error)


def _stopped(begun: Begun) -> Done:
    run = begun.run
    return Done(healthy=False, stopped=True, run=None if run is None else run.path)


def _present(job: Job) -> None:
    from osprey.engine.loggers.build import closing_loggers
    from osprey.engine.present import present
    from osprey.system.plugins import load_installed, load_plugins

    assert job.before is not None
    run = RunFolder(job.before)
    load_installed()
    load_plugins(job.plugins)
    config = run.load_config()
    config.extras.report = job.report
    with closing_loggers(run):
        present(run, config, run.read_json("summary.json"))


def _place(begun: Begun) -> dict[str, str]:
    """Where the run of a trial that was not finished lies, if anything was kept."""
    there = begun.run is not None and begun.run.path.is_dir()
    return {"run": os.path.relpath(begun.run.path)} if there and begun.run is not None else {}


def _trained(job: Job, begun: Begun) -> dict[str, Any]:
    """Train a job's run, or go on with the one that another process began."""
    from osprey.config.compose import run_hydra
    from osprey.engine.experiment import figure_of, train_composed

    before = begun.run
    if before is not None:
        _wait_until_free(before)
        if (before.path / PRUNED).is_file():
            return {"pruned": before.read_json(PRUNED)["epochs"], **_place(begun)}
        if before.last.is_file() and not before.finished:
            _go_on(job, before)
        if before.finished:
            summary = before.read_json("summary.json")
            return _record(job, before, summary, figure_of(before, summary))
        begun.run = None  # it had not got far enough to go on from
    found: list[tuple[RunFolder, dict[str, Any], float]] = []
    run_hydra("train", job.argv, lambda cfg: found.append(train_composed(cfg)), "osprey train")
    return _record(job, *found[0])


def _go_on(job: Job, run: RunFolder) -> None:
    from osprey.engine.resume import resume

    more = [f"plugins=[{','.join(job.plugins)}]"] if job.plugins else []
    resume([f"resume={run.path}", "cost.max_minutes=null", "cost.max_usd=null", *more])


def _wait_until_free(run: RunFolder) -> None:
    """The worker of a sweep that was killed may still save its checkpoint."""
    deadline = time.monotonic() + _TO_SAVE
    while run.path.is_dir():
        try:
            with run.held():
                return
        except UserError:
            if time.monotonic() > deadline:
                raise
            time.sleep(1)


def _record(job: Job, run: RunFolder, summary: dict[str, Any], value: float) -> dict[str, Any]:
    from osprey.sweeping.measure import measured

    return {**trained_record(run, summary, value), **measured(run, speed=job.speed)}


def trained_record(run: RunFolder, summary: dict[str, Any], value: float) -> dict[str, Any]:
    """What a sweep keeps of a finished run."""
    from osprey.tasks.registry import shown_metrics

    config = run.load_config()
    metric = shown_metrics(config.task.name, config.monitor, config.mode)[0]
    figures = {s: summary[s].get(metric.key) for s in ("val", "test") if s in summary}
    return {
        "run": os.path.relpath(run.path),
        "value": value,
        "metric": asdict(metric),
        "figures": figures,
        **{key: summary[key] for key in ("minutes", "usd") if key in summary},
    }


def _tidy_pruned(job: Job, begun: Begun, epochs: int) -> dict[str, str]:
    """Mark the run, and free what its checkpoints take."""
    run = begun.run
    assert run is not None
    run.write_json(PRUNED, {"epochs": epochs})
    for file in (run.last, *(() if job.keep_pruned else (run.best,))):
        file.unlink(missing_ok=True)
    return _place(begun)
