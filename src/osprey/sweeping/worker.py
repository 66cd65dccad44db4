"""A worker of a sweep: a process that trains one trial after the other, and says how they went."""

from __future__ import annotations

import gc
import os
import signal
import sys
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from multiprocessing import parent_process
from multiprocessing.connection import Connection, wait
from pathlib import Path
from types import FrameType
from typing import Any

from osprey.errors import Interrupted, Pruned, Terminated, UserError
from osprey.runs.folder import RunFolder
from osprey.runs.trial_mark import Begun, TrialMark, as_trial

PRUNED = "pruned.json"  # in the folder of a run that ended early
_GRACE = 60.0  # seconds a worker without its sweep has to save and end


@dataclass(frozen=True)
class Job:
    """One training.

    Attributes:
        mark: Which trial of which sweep.
        argv: The command line of ``osprey train``.
        log: File for what it prints.
        resume: Run of a training that was interrupted; None begins one.
        plugins: Packages that the run may name.
        keep_pruned: Keep the best checkpoint of one that ends early.
        speed: Measure how many photos a second it answers.
        report_only: Only draw the pictures and write the report of the finished run ``resume``.
    """

    mark: TrialMark
    argv: tuple[str, ...]
    log: Path
    resume: Path | None = None
    plugins: tuple[str, ...] = ()
    keep_pruned: bool = False
    speed: bool = False
    report_only: bool = False


@dataclass(frozen=True)
class Epoch:
    """What a worker reports after an epoch; it waits for the answer, whether to end here."""

    number: int
    value: float


@dataclass(frozen=True)
class Done:
    """How a training went.

    Attributes:
        record: Plain data, with ``run``, ``value`` and ``metric``; or ``failure``; or ``pruned``.
        healthy: Whether the worker can be used for another.
    """

    record: dict[str, Any] = field(default_factory=dict)
    healthy: bool = True


def main(pipe: Connection, environment: dict[str, str]) -> None:
    """Train the jobs that come through a pipe, until there are none.

    Args:
        pipe: To the sweep.
        environment: Variables to set before torch is imported.
    """
    os.environ.update(environment)
    if hasattr(os, "setsid"):
        os.setsid()  # a Ctrl-C reaches the sweep alone, which passes it on once
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _terminate)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        while (job := pipe.recv()) is not None:
            with printing_to(job.log):
                done = _train(job, pipe)
            pipe.send(done)
            if not done.healthy:
                return
            _release_memory()
    except (EOFError, OSError, KeyboardInterrupt, Interrupted):
        return  # the sweep is gone, or wants us to be


def _terminate(number: int, frame: FrameType | None) -> None:
    raise Terminated(number)


def _end_with_parent() -> None:
    """When the sweep is killed, save the checkpoint and end, as after a SIGTERM."""
    parent = parent_process()
    assert parent is not None
    wait([parent.sentinel])
    if hasattr(signal, "pthread_kill"):  # the thread that trains, also where it waits for a pipe
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGTERM)
    threading.Event().wait(_GRACE)
    os._exit(1)


@contextmanager
def printing_to(file: Path) -> Iterator[None]:
    """Let this process, and those it starts, print into a file."""
    file.parent.mkdir(parents=True, exist_ok=True)
    before = [os.dup(1), os.dup(2)]
    log = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    try:
        _flush()
        os.dup2(log, 1)
        os.dup2(log, 2)
        yield
    finally:
        _flush()
        for number, kept in enumerate(before, 1):
            os.dup2(kept, number)
            os.close(kept)
        os.close(log)


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()


class _Reporter:
    """Passes each epoch's value to the sweep."""

    def __init__(self, pipe: Connection) -> None:
        self.pipe = pipe

    def epoch(self, number: int, value: float) -> bool:
        """Whether the trial is to end here."""
        self.pipe.send(Epoch(number, value))
        return bool(self.pipe.recv())


def _train(job: Job, pipe: Connection) -> Done:
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


def _release_memory() -> None:
    """What the trial before held on to."""
    gc.collect()
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        torch.cuda.empty_cache()
