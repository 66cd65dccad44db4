"""What all routers share: bundles, limits, keys, log, metrics."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

from starlette.requests import Request

from osprey.errors import BundleError
from osprey.serving.answer_log import AnswerLog
from osprey.serving.bodies import Intake
from osprey.serving.buckets import Buckets
from osprey.serving.camio.hook import Hook
from osprey.serving.fetching import Fetcher
from osprey.serving.keys import Keys
from osprey.serving.limits import HeldBytes, Limits, Room, busy
from osprey.serving.metrics import Metrics
from osprey.serving.models import Answered, Model, Models, not_ready
from osprey.serving.photos import Photo
from osprey.serving.refusals import Refused


class Service:
    """Answers about photos, one at a time or many.

    Args:
        models: The bundles.
        limits: What is taken at most.
        metrics: Where it is counted.
        fetcher: Of photos by their address, or None where that is off.
        keys: Who may ask, or None for everybody.
        log: Where answers are written, or None.
        hook: Camio's, or None where that is off.
        buckets: That photos are fetched from, or None.

    Attributes:
        failure: Why bundles could not be loaded, or None.
    """

    def __init__(
        self,
        models: Models,
        limits: Limits,
        metrics: Metrics,
        fetcher: Fetcher | None = None,
        keys: Keys | None = None,
        log: AnswerLog | None = None,
        hook: Hook | None = None,
        buckets: Buckets | None = None,
    ) -> None:
        self.models, self.limits, self.metrics = models, limits, metrics
        self.fetcher, self.keys, self.log, self.hook = fetcher, keys, log, hook
        self.buckets = buckets
        self.room = Room(limits)
        self.failure: Exception | None = None
        self._work: asyncio.Task[None] | None = None
        metrics.show("osprey_queue_photos", "Photos not yet answered", lambda: self.room.photos)
        metrics.show("osprey_held_bytes", "Bytes of bodies in memory", lambda: self.room.bytes)

    def start(self, stop: Callable[[], None]) -> None:
        """Load the bundles beside the first requests, which are told to wait.

        Args:
            stop: Ends the server; called when a bundle cannot be loaded.
        """
        self._work = asyncio.create_task(self._load_and_watch(stop))

    async def close(self) -> None:
        """Answer what was asked, then end."""
        if self._work is not None:
            self._work.cancel()
            with suppress(asyncio.CancelledError):
                await self._work
        if self.hook is not None:
            await self.hook.close()
        await self.models.close()
        if self.fetcher is not None:
            await self.fetcher.close()
        if self.buckets is not None:
            await self.buckets.close()
        if self.log is not None:
            self.log.close()

    async def one(self, model: Model, photo: Photo) -> Answered:
        """The answer about one photo.

        Raises:
            Refused: 422, it cannot be read; 413, it is too large; 429 or 503, not now.
        """
        async with self._places(1):
            answered = await self._answered(model, photo)
        if answered.failure is not None:
            raise Refused(422, answered.failure)
        return answered

    async def many(self, model: Model, photos: list[Photo]) -> list[Answered | Photo]:
        """The answers about several photos, in order; one that cannot be read fails alone.

        Raises:
            Refused: 429 or 503, not now.
        """
        async with self._places(len(photos)):
            asked = (self._or_failure(model, photo) for photo in photos)
            found = await asyncio.gather(*asked, return_exceptions=True)
        answers: list[Answered | Photo] = []
        for answer in found:
            if isinstance(answer, BaseException):
                raise answer
            answers.append(answer)
        return answers

    def intake(self, held: HeldBytes) -> Intake:
        """Reads what a request brings, within the limits.

        Args:
            held: Memory is counted here.
        """
        return Intake(self.limits, held, self.fetcher, self.buckets)

    @asynccontextmanager
    async def _places(self, count: int) -> AsyncIterator[None]:
        """Hold places in the queue, for as long as an answer may take."""
        seconds = self.limits.seconds
        with self.room.places(count):
            try:
                async with asyncio.timeout(seconds):
                    yield
            except TimeoutError:
                raise busy(f"no answer within {seconds:g} seconds") from None

    async def _or_failure(self, model: Model, photo: Photo) -> Answered | Photo:
        if photo.failure is not None:
            return photo
        try:
            return await self._answered(model, photo)
        except Refused as refusal:
            if refusal.status != 413:
                raise
            return Photo(photo.name, b"", refusal.reason)

    async def _answered(self, model: Model, photo: Photo) -> Answered:
        try:
            answered = await model.ask(photo.name, photo.content)
        except BundleError:
            self.metrics.photos.labels(model.name, "failed").inc()
            raise
        outcome = "answered" if answered.failure is None else "unreadable"
        self.metrics.photos.labels(model.name, outcome).inc()
        if self.log is not None:
            await asyncio.to_thread(self.log.add, photo.content, answered)
        return answered

    async def _load_and_watch(self, stop: Callable[[], None]) -> None:
        try:
            if self.buckets is not None:
                await self.buckets.open()
            await self.models.load()
        except Exception as error:  # raised again once the server has ended
            self.failure = error
            stop()
            return
        await self.models.watch()


async def service_of(request: Request) -> Service:
    """The service that a request came to; for FastAPI's ``Depends``."""
    service: Service = request.app.state.service
    return service


async def with_key(request: Request) -> None:
    """Refuse a request without a key, where keys are needed; for FastAPI's ``Depends``."""
    service = await service_of(request)
    if service.keys is not None:
        service.keys.check(request)


async def when_ready(request: Request) -> None:
    """Refuse a request while bundles are loading; for FastAPI's ``Depends``."""
    if not (await service_of(request)).models.ready:
        raise not_ready()
