"""Communication between the processes of a distributed run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import torch.distributed as dist


def in_all_processes(value: Any) -> list[Any]:
    """Gather a value from every process of a distributed run.

    Args:
        value: Can be pickled.

    Returns:
        The values ordered by rank; only its own in a single process.
    """
    if not is_shared():
        return [value]
    values: list[Any] = [None] * dist.get_world_size()
    dist.all_gather_object(values, value)
    return values


def wait_for_all() -> None:
    """Barrier of all processes in a distributed run."""
    if is_shared():
        dist.barrier()


def leave_group() -> None:
    """Destroy the process group: from here on this process works alone."""
    if is_shared():
        dist.destroy_process_group()


def is_shared() -> bool:
    """Whether a process group is initialised, and this process is not `alone`."""
    return not _ALONE.get() and dist.is_available() and dist.is_initialized()


_ALONE: ContextVar[bool] = ContextVar("alone", default=False)


@contextmanager
def alone() -> Iterator[None]:
    """Ask nothing of other processes, which do something else meanwhile."""
    before = _ALONE.set(True)
    try:
        yield
    finally:
        _ALONE.reset(before)


def rank() -> int:
    """This process's number among those that have met; 0 of one alone."""
    return dist.get_rank() if is_shared() else 0
