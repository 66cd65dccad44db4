"""Photos in buckets that the operator allows, under the limits of those on the web."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Any

from osprey.errors import UserError
from osprey.imaging.decode_errors import one_line
from osprey.serving.fetching import SECONDS, too_large, unavailable
from osprey.serving.refusals import Refused
from osprey.system.buckets import file_system, not_set_up, reason_in_words, split_address

_OPTION = "--allow-bucket"


class Buckets:
    """Fetches photos from allowed buckets.

    Args:
        names: ``s3://NAME`` or ``gs://NAME``.
        most_bytes: Of a photo.
        seconds: For all of one photo.

    Raises:
        UserError: A name is none, or its package is not installed.
    """

    def __init__(self, names: Iterable[str], most_bytes: int, seconds: float = SECONDS) -> None:
        self._allowed = {_bucket(name) for name in names}
        self._most_bytes = most_bytes
        self._seconds = seconds
        schemes = sorted({scheme for scheme, _ in self._allowed})
        self._systems = {scheme: _system(scheme) for scheme in schemes}
        self._sessions: list[Any] = []

    async def open(self) -> None:
        """Start the libraries' sessions, which takes a moment that no request should wait.

        Raises:
            UserError: One cannot be started with the credentials at hand.
        """
        for scheme, system in self._systems.items():
            start = getattr(system, "set_session", None) or system._set_session
            try:
                self._sessions.append(await start())
            except Exception as error:  # of two libraries' dozens
                raise not_set_up(_OPTION, scheme, error) from None

    async def fetch(self, address: str, hold: Callable[[int], None]) -> bytes:
        """The bytes of an ``s3://`` or ``gs://`` address.

        Args:
            address: As a client wrote it.
            hold: Called with every number of bytes that arrives; may refuse them.

        Raises:
            Refused: 403, it may not be fetched; 413, it is too large; 422, it cannot be had.
        """
        parts = split_address(address)
        if parts is None or not parts[2]:
            raise Refused(400, "the photo's address must be such as s3://bucket/folder/photo.jpg")
        scheme, bucket, key = parts
        if (scheme, bucket) not in self._allowed:
            shown = one_line(f"{scheme}://{bucket}")[:100]
            raise Refused(403, f"photos are not fetched from '{shown}': {_OPTION} allows a bucket")
        try:
            async with asyncio.timeout(self._seconds):
                return await self._read(scheme, f"{bucket}/{key}", hold)
        except Refused:
            raise
        except TimeoutError:
            raise unavailable(f"took longer than {self._seconds:g} seconds") from None
        except Exception as error:  # of two libraries' dozens
            raise unavailable(reason_in_words(error)) from None

    async def close(self) -> None:
        """Let connections go."""
        for session in self._sessions:
            await session.close()

    async def _read(self, scheme: str, path: str, hold: Callable[[int], None]) -> bytes:
        system = self._systems[scheme]
        about = await system._info(path)
        if about["type"] != "file":
            raise FileNotFoundError(path)
        size = int(about["size"])
        if size > self._most_bytes:
            raise too_large(self._most_bytes)
        hold(size)
        # A range, because what lies there may have been replaced by something larger.
        content: bytes = await system._cat_file(path, start=0, end=size) if size else b""
        return content


def _system(scheme: str) -> Any:
    return file_system(scheme, _OPTION, asynchronous=True)


def _bucket(name: str) -> tuple[str, str]:
    """Scheme and bucket of the option."""
    parts = split_address(name)
    if parts is None or parts[2]:
        raise UserError(f"{_OPTION}: '{name}' is no bucket such as s3://photos or gs://photos")
    return parts[0], parts[1]
