"""The workers of a sweep: started, given work, ended, and replaced where one dies."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from typing import Any

from osprey.sweeping.devices import environment_of
from osprey.sweeping.jobs import Done, Job, News
from osprey.sweeping.worker import ASKED, main

_TO_END = 5.0  # seconds that an unhealthy worker has
_TO_SAVE = 90.0  # seconds that workers have to save a checkpoint after a signal


@dataclass
class Worker:
    """One process.

    Attributes:
        process: Spawned.
        pipe: To it.
        device: A GPU; None for the processor.
        job: What it trains; None while it waits.
    """

    process: Any
    pipe: Connection
    device: str | None
    job: Job | None = None


class Crew:
    """Workers that train jobs, each its own.

    Args:
        devices: One entry a worker: a GPU, or None.
        environment: Variables of every worker.
    """

    def __init__(self, devices: Sequence[str | None], environment: dict[str, str]) -> None:
        self.devices = list(devices)
        self.environment = environment
        self.workers: list[Worker] = []

    def idle(self) -> Worker | None:
        """A worker without work, started where none is; None where all are busy."""
        for worker in self.workers:
            if worker.job is None:
                return worker
        if len(self.workers) == len(self.devices):
            return None
        taken = [worker.device for worker in self.workers]
        free = list(self.devices)
        for device in taken:
            free.remove(device)
        return self._start(free[0])

    def busy(self) -> bool:
        """Whether anything is being trained."""
        return any(worker.job is not None for worker in self.workers)

    def _start(self, device: str | None) -> Worker:
        context = multiprocessing.get_context("spawn")  # CUDA survives no fork
        ours, theirs = context.Pipe()
        more = {**self.environment, **environment_of(device, len(self.devices))}
        # A trial's loaders begin as those of a command of its own: forked, they share its imports.
        method = multiprocessing.get_start_method()
        process = context.Process(target=main, args=(theirs, method))
        before = dict(os.environ)
        os.environ.update(more)  # what is read before its first line, such as OMP's
        try:
            process.start()
        finally:
            os.environ.clear()
            os.environ.update(before)
        theirs.close()
        worker = Worker(process, ours, device)
        self.workers.append(worker)
        return worker

    def give(self, worker: Worker, job: Job) -> bool:
        """Let a worker train; False where it has died while it waited."""
        try:
            worker.pipe.send(job)
        except OSError:
            self._bury(worker)
            return False
        worker.job = job
        return True

    def answer(self, job: Job, ends: bool) -> None:
        """Tell the worker that trains a job whether to end it here."""
        for worker in self.workers:
            if worker.job is job:
                with suppress(OSError):  # one that has just died is noticed with its next news
                    worker.pipe.send(ends)

    def events(self, seconds: float | None = None) -> Iterator[tuple[Job, News]]:
        """Wait for news of the workers; a job whose worker died has failed.

        Args:
            seconds: To wait at most; None for as long as it takes.
        """
        pipes = {worker.pipe: worker for worker in self.workers}
        for pipe in wait(list(pipes), seconds):
            worker = pipes[pipe]  # type: ignore[index]
            job = worker.job
            try:
                news = worker.pipe.recv()
            except (EOFError, OSError):
                why = self._bury(worker)
                news = Done({"failure": why, "retry": True}, stopped=not why)
            if job is None:
                continue
            if isinstance(news, Done):
                worker.job = None
                if not news.healthy and worker in self.workers:
                    self._dismiss(worker)
            yield job, news

    def _bury(self, worker: Worker) -> str:
        """Forget a worker that died; what to say of its trial, unless it was asked to end."""
        worker.process.join()
        self._forget(worker)
        code = worker.process.exitcode
        if code is not None and code < 0:
            name = signal.Signals(-code).name
            why = ", as when memory is gone" if name == "SIGKILL" else ""
            return f"its process was killed ({name}{why})"
        return "" if code == ASKED else f"its process ended with exit code {code}"

    def _dismiss(self, worker: Worker) -> None:
        worker.process.join(_TO_END)
        if worker.process.is_alive():
            worker.process.kill()
            worker.process.join()
        self._forget(worker)

    def _forget(self, worker: Worker) -> None:
        worker.pipe.close()
        self.workers.remove(worker)

    def end(self) -> None:
        """Let the workers go: those that train save their checkpoint first."""
        for worker in self.workers:
            try:
                worker.pipe.send(None)
            except OSError:
                continue
            if worker.job is not None and worker.process.pid is not None:
                worker.process.terminate()
        deadline = time.monotonic() + _TO_SAVE
        for worker in self.workers:
            worker.process.join(max(0.0, deadline - time.monotonic()))
            if worker.process.is_alive():
                worker.process.kill()
                worker.process.join()
            worker.pipe.close()
        self.workers.clear()
