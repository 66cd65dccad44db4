"""A worker of a sweep: a process that trains one trial after the other, and says how they went."""

from __future__ import annotations

import gc
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from multiprocessing import parent_process
from multiprocessing.connection import Connection, wait
from pathlib import Path
from types import FrameType

from osprey.errors import Interrupted, Terminated
from osprey.sweeping.jobs import asked_to_end
from osprey.sweeping.training import train

ASKED = 143  # exit code of a worker that was asked to end
_GRACE = 60.0  # seconds a worker without its sweep has to save and end


def main(pipe: Connection, method: str) -> None:
    """Train the jobs that come through a pipe, until there are none.

    Args:
        pipe: To the sweep.
        method: How processes are started from here.
    """
    multiprocessing.set_start_method(method, force=True)
    if hasattr(os, "setsid"):
        os.setsid()  # a Ctrl-C reaches the sweep alone, which passes it on once
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _terminate)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        while (job := pipe.recv()) is not None:
            with printing_to(job.log):
                done = train(job, pipe)
            pipe.send(done)
            if not done.healthy:
                return
            _release_memory()
    except (EOFError, OSError, KeyboardInterrupt, Interrupted):
        sys.exit(ASKED)  # the sweep is gone, or wants us to be
    except Exception:
        if not asked_to_end.is_set():
            raise
        sys.exit(ASKED)


def _terminate(number: int, frame: FrameType | None) -> None:
    asked_to_end.set()
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


def _release_memory() -> None:
    """What the trial before held on to."""
    gc.collect()
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        torch.cuda.empty_cache()
