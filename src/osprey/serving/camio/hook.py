"""Events that wait for their labels, each answered by itself and told to where it names."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from typing import TypeVar

from osprey.imaging.decode_errors import one_line
from osprey.serving.camio.callbacks import LATER, Callbacks
from osprey.serving.camio.events import Event, Labels, labels_of
from osprey.serving.limits import Limits, busy
from osprey.serving.metrics import Metrics
from osprey.serving.models import Answered
from osprey.serving.photos import Photo
from osprey.serving.refusals import Refused
from osprey.system.console import counted, warn

_WAITS = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0)  # seconds between attempts: two minutes in all
_DRAIN_SECONDS = 10.0  # for what is pending when the service ends

T = TypeVar("T")
Ask = Callable[[list[Photo]], Awaitable[list[Answered | Photo]]]


@dataclass(frozen=True)
class _Waiting:
    """An event that is not answered yet, without its photos.

    Attributes:
        name: User and camera.
        weight: What it counts for among those that wait.
    """

    name: str
    weight: int


class Hook:
    """Takes events at once, and posts their labels once they are known.

    What fails for good is posted nowhere, as the protocol has it: it is counted and printed.

    Args:
        callbacks: Sends the answers.
        limits: Of the service: ``photos`` bounds those of all events that are pending.
        metrics: Where events are counted.
        waits: Seconds between attempts.
    """

    def __init__(
        self,
        callbacks: Callbacks,
        limits: Limits,
        metrics: Metrics,
        waits: Sequence[float] = _WAITS,
    ) -> None:
        self.callbacks = callbacks
        self._most, self._batch = limits.photos, limits.batch
        self._metrics = metrics
        self._waits = waits
        self._pending: dict[asyncio.Task[None], _Waiting] = {}
        self._turn = asyncio.Lock()  # a batch of one event at a time: other clients ask too
        self._ending = asyncio.Event()
        metrics.show("osprey_hook_pending", "Events not yet answered", lambda: len(self._pending))

    @property
    def pending(self) -> list[str]:
        """User and camera of every event that is not answered yet, the oldest first."""
        return [waiting.name for waiting in self._pending.values()]

    def take(self, event: Event, ask: Ask, memory: ExitStack) -> None:
        """Answer an event, by and by.

        Args:
            event: What happened.
            ask: Answers about photos.
            memory: Held until the photos have been answered.

        Raises:
            Refused: 429, too many are pending.
        """
        new = _Waiting(event.name, max(1, len(event.photos)))
        if new.weight + sum(other.weight for other in self._pending.values()) > self._most:
            raise busy(f"{counted(len(self._pending), 'event')} of the hook pending")
        task = asyncio.create_task(self._work(event, ask, memory.pop_all()))
        self._pending[task] = new
        task.add_done_callback(self._pending.pop)

    async def close(self) -> None:
        """Answer what is pending, for some seconds; what is left is printed."""
        self._ending.set()  # no attempt waits any longer
        if self._pending:
            await asyncio.wait(list(self._pending), timeout=_DRAIN_SECONDS)
        left = dict(self._pending)
        for task, waiting in left.items():
            task.cancel()
            self._failed(waiting.name, "the service ends")
        await asyncio.gather(*left, return_exceptions=True)
        await self.callbacks.close()

    async def _work(self, event: Event, ask: Ask, memory: ExitStack) -> None:
        name, address = event.name, event.callback_url
        try:
            with memory:
                labels = await self._labels(event.photos, ask)
            del event  # its photos count no longer, so none may be held while callbacks are tried
            content = {"status": "success", "labels": labels}
            await self._patiently(lambda: self.callbacks.send(address, content))
        except Exception as error:  # whatever it is, it costs this event alone
            reason = error.reason if isinstance(error, Refused) else one_line(str(error))
            self._failed(name, reason or type(error).__name__)
        else:
            self._metrics.events.labels("answered").inc()

    async def _labels(self, photos: list[Photo], ask: Ask) -> dict[str, Labels]:
        found: list[Answered | Photo] = []
        for first in range(0, len(photos), self._batch):
            batch = photos[first : first + self._batch]
            found += await self._patiently(lambda batch=batch: self._ask(batch, ask))  # type: ignore[misc]
        failures = [answer.failure for answer in found if answer.failure is not None]
        if failures and len(failures) == len(found):
            raise Refused(422, failures[0])
        return labels_of(photos, found)

    async def _ask(self, photos: list[Photo], ask: Ask) -> list[Answered | Photo]:
        async with self._turn:
            return await ask(photos)

    async def _patiently(self, action: Callable[[], Awaitable[T]]) -> T:
        """Try again what may do later."""
        for wait in self._waits:
            was_ending = self._ending.is_set()
            try:
                return await action()
            except Refused as refusal:
                if refusal.status not in (429, LATER) or was_ending:
                    raise
            with suppress(TimeoutError):
                await asyncio.wait_for(self._ending.wait(), wait)
        return await action()

    def _failed(self, name: str, reason: str) -> None:
        self._metrics.events.labels("failed").inc()
        warn(f"hook: the event of '{name}' is not answered ({reason})")
