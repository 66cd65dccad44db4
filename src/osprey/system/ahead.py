"""Work on the next items while the caller is busy with these."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

from osprey.system.memory import cores

_AHEAD = 2  # batches
_MOST_THREADS = 8

T = TypeVar("T")
R = TypeVar("R")


def batches_ahead(
    items: Iterable[T], prepare: Callable[[T], R], size: int
) -> Iterator[list[tuple[T, R]]]:
    """Prepare items in threads, up to two batches ahead of the caller.

    Args:
        items: Consumed as they are needed.
        prepare: Called in threads.
        size: Items of a batch.

    Yields:
        Batches of items with what was prepared of them, in order.
    """
    remaining = iter(items)
    coming: deque[list[tuple[T, Future[R]]]] = deque()
    with ThreadPoolExecutor(min(_MOST_THREADS, cores())) as pool:
        try:
            while True:
                while len(coming) < _AHEAD and (chunk := list(islice(remaining, size))):
                    coming.append([(item, pool.submit(prepare, item)) for item in chunk])
                if not coming:
                    return
                yield [(item, done.result()) for item, done in coming.popleft()]
        finally:
            pool.shutdown(cancel_futures=True)
