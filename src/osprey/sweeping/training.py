"""One training of a sweep, within a worker."""

from __future__ import annotations

import os
import sys
import traceback
from dataclasses import asdict
from multiprocessing.connection import Connection
from typing import Any

from osprey.errors import Pruned, UserError
from osprey.runs.folder import RunFolder
from osprey.runs.trial_mark import Begun, as_trial
from osprey.sweeping.jobs import PRUNED, Done, Epoch, Job


class _Reporter:
    """Passes each epoch's value to the sweep."""

    def __init__(self, pipe: Connection) -> None:
        self.pipe = pipe

    def epoch(self, number: int, value: float) -> bool:
        """Whether the trial is to end here."""
        self.pipe.send(Epoch(number, value))
        return bool(self.pipe.recv())


def train(job: Job, pipe: Connection) -> Done:
    """Train one job; whatever goes wrong is its record.

    Args:
        job: What to train.
        pipe: Where each epoch is reported.

    Raises:
        Interrupted: A signal asks the worker to end; the run's ``last.ckpt`` was saved.
    """
    from osprey.engine.callbacks.trial_reports import reporting_to
    from osprey.system.plugins import command_scope

    with command_scope(), as_trial(job.mark) as begun, reporting_to(_Reporter(pipe)):
        if job.resume is not None:
            begun.run = RunFolder(job.resume)
        try:
            if job.report_only:
                _report(job)
                return Done()
            return Done(_record(job, *_run(job)))
        except Pruned as end:
            return Done({"pruned": end.epochs, **_tidy_pruned(job, begun, end.epochs)})
        except UserError as error:
            print(f"osprey train: {error}", file=sys.stderr)
            return Done({"failure": str(error), **_place(begun)})
        except Exception as error:
            traceback.print_exc()
            return Done({"failure": _failure_line(error), **_place(begun)}, healthy=False)


def _report(job: Job) -> None:
    from osprey.engine.present import present
    from osprey.system.plugins import load_installed, load_plugins

    assert job.resume is not None
    run = RunFolder(job.resume)
    load_installed()
    load_plugins(job.plugins)
    config = run.load_config()
    config.extras.report = True
    present(run, config, run.read_json("summary.json"))


def _place(begun: Begun) -> dict[str, str]:
    """Where the run of a trial that was not finished lies, if anything was kept."""
    there = begun.run is not None and begun.run.path.is_dir()
    return {"run": os.path.relpath(begun.run.path)} if there and begun.run is not None else {}


def _failure_line(error: Exception) -> str:
    from osprey.system.disk import system_failure

    known = system_failure(error) if isinstance(error, OSError | RuntimeError) else None
    return known or f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"


def _run(job: Job) -> tuple[RunFolder, dict[str, Any], float]:
    """Train a job's run, or go on with it."""
    from osprey.engine.experiment import figure_of, train_composed

    if job.resume is not None:
        from osprey.engine.resume import resume

        more = [f"plugins=[{','.join(job.plugins)}]"] if job.plugins else []
        run = resume([f"resume={job.resume}", *more])
        summary = run.read_json("summary.json")
        return run, summary, figure_of(run, summary)
    from osprey.config.compose import run_hydra

    found: list[tuple[RunFolder, dict[str, Any], float]] = []
    run_hydra("train", job.argv, lambda cfg: found.append(train_composed(cfg)), "osprey train")
    return found[0]


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
        "minutes": summary["minutes"],
    }


def _tidy_pruned(job: Job, begun: Begun, epochs: int) -> dict[str, str]:
    """Mark the run, and free what its checkpoints take."""
    run = begun.run
    assert run is not None
    run.write_json(PRUNED, {"epochs": epochs})
    for file in (run.last, *(() if job.keep_pruned else (run.best,))):
        file.unlink(missing_ok=True)
    return _place(begun)
