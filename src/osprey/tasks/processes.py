"""What the processes of a distributed run tell each other."""

from __future__ import annotations

from typing import Any

import torch.distributed as dist


def in_all_processes(value: Any) -> list[Any]:
    """``value`` of every process of a distributed run, the first one's first."""
    if not is_shared():
        return [value]
    values: list[Any] = [None] * dist.get_world_size()
    dist.all_gather_object(values, value)
    return values


def wait_for_all() -> None:
    """Go on when every process of a distributed run has come here."""
    if is_shared():
        dist.barrier()


def leave_group() -> None:
    """From here on this process works by itself."""
    if is_shared():
        dist.destroy_process_group()


def is_shared() -> bool:
    """Whether this is one of several processes that have met."""
    return dist.is_available() and dist.is_initialized()
