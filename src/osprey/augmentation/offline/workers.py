"""Photos shared out to processes: the result does not depend on how many there are."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from itertools import islice
from typing import Any, TypeVar

import cv2

from osprey.errors import UserError

_AHEAD = 16  # photos that wait for each process

T = TypeVar("T")
R = TypeVar("R")


def shared_out(function: Callable[[T], R], items: Iterable[T], workers: int) -> Iterator[R]:
    """Call a function with every item, in so many processes.

    Args:
        function: Can be pickled, where the system cannot fork. With one process it is called here.
        items: Consumed as they are needed.
        workers: 1 or more.

    Yields:
        The results, in order.

    Raises:
        UserError: A process was killed.
    """
    if workers == 1:
        yield from map(function, items)
        return
    # A forked process has all modules at once, and no script of the user's is run a second time.
    fork = "fork" in multiprocessing.get_all_start_methods()
    context = multiprocessing.get_context("fork" if fork else "spawn")
    remaining = iter(items)
    coming: deque[Future[Any]] = deque()
    pool = ProcessPoolExecutor(workers, context, _begin, (function,))
    try:
        for item in islice(remaining, _AHEAD * workers):
            coming.append(pool.submit(_call, item))
        while coming:
            yield coming.popleft().result()
            coming.extend(pool.submit(_call, item) for item in islice(remaining, 1))
    except BrokenProcessPool:
        raise UserError(
            "a process that augments was killed, as where memory runs out: the same command with "
            "--resume goes on, with --workers 1 in less memory"
        ) from None
    finally:
        pool.shutdown(cancel_futures=True)


_function: list[Callable[[Any], Any]] = []


def _begin(function: Callable[[Any], Any]) -> None:
    """In a new process: signals are the parent's to handle, and it ends with the parent."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    with contextlib.suppress(AttributeError):  # Windows has none
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
    # Not 1: that would end threads of the parent's, which a forked process waits for in vain.
    cv2.setNumThreads(0)
    _function[:] = [function]
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """A killed parent cannot say that there is nothing more to do."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _call(item: Any) -> Any:
    return _function[0](item)
