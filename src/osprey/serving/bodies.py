"""Bodies of requests, read within the limits of size, memory and time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterator
from contextlib import contextmanager

from starlette.datastructures import FormData
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from osprey.serving.buckets import Buckets
from osprey.serving.fetching import Fetcher
from osprey.serving.limits import HeldBytes, Limits
from osprey.serving.refusals import Refused
from osprey.system.buckets import in_bucket

_FIELDS = 8  # of a form, beside its files
_FIELD_BYTES = 4096


class _InMemory(MultiPartParser):
    """Keeps files in memory, which is counted: the disk may be read-only."""

    spool_max_size = 1 << 40


class Intake:
    """Reads what one request brings.

    Args:
        limits: Of the service.
        held: Memory is counted here.
        fetcher: Of photos by their address, or None where that is off.
        buckets: Likewise of photos in buckets.
    """

    def __init__(
        self,
        limits: Limits,
        held: HeldBytes,
        fetcher: Fetcher | None = None,
        buckets: Buckets | None = None,
    ) -> None:
        self._limits = limits
        self.seconds = limits.seconds
        self._held = held
        self._fetcher, self._buckets = fetcher, buckets

    async def body(self, request: Request) -> bytes:
        """The whole body.

        Raises:
            Refused: 413 or 408: it is too large, or too slow.
        """
        with self._refusals():
            async with asyncio.timeout(self._limits.seconds):
                return b"".join([part async for part in self._parts(request)])

    async def form(self, request: Request) -> FormData:
        """The body as a form, to be closed.

        Raises:
            Refused: As `body`; or 400: it is damaged.
        """
        parser = _InMemory(
            request.headers,
            self._parts(request),
            max_files=self._limits.photos,
            max_fields=_FIELDS,
            max_part_size=_FIELD_BYTES,
        )
        with self._refusals():
            async with asyncio.timeout(self._limits.seconds):
                return await parser.parse()

    async def fetched(self, address: str) -> bytes:
        """What lies behind an address.

        Raises:
            Refused: It may not be fetched, or cannot be.
        """
        if in_bucket(address):
            if self._buckets is None:
                raise Refused(
                    403,
                    "photos are not fetched from buckets: 'osprey serve --allow-bucket "
                    "s3://BUCKET' allows one",
                )
            return await self._buckets.fetch(address, self._held.add)
        if self._fetcher is None:
            raise Refused(
                403, "photos are not fetched: 'osprey serve --allow-url HOST' allows a host"
            )
        return await self._fetcher.fetch(address, self._held.add)

    def check_count(self, count: int) -> None:
        """Refuse more photos than are ever taken at once."""
        most = self._limits.photos
        if count > most:
            raise Refused(413, f"{count} photos are more than the {most} that are taken at once")

    async def _parts(self, request: Request) -> AsyncGenerator[bytes, None]:
        most = self._limits.bytes
        declared = request.headers.get("content-length", "")
        if declared.isdecimal() and int(declared) > most:
            raise self._too_large()
        count = 0
        async for part in request.stream():
            count += len(part)
            if count > most:
                raise self._too_large()
            self._held.add(len(part))
            yield part

    @contextmanager
    def _refusals(self) -> Iterator[None]:
        """Say in our words what goes wrong."""
        try:
            yield
        except TimeoutError:
            seconds = f"{self._limits.seconds:g}"
            raise Refused(408, f"the body took longer than {seconds} seconds") from None
        except MultiPartException as error:
            raise Refused(400, f"the form is damaged ({error.message.rstrip('.')})") from None

    def _too_large(self) -> Refused:
        megabytes = f"{self._limits.bytes / 1e6:g}"
        return Refused(413, f"the body is larger than {megabytes} MB; shrink the photo first")
