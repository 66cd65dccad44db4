"""Photos by their address, from hosts that the operator allows; redirects are checked likewise."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

import httpx2

from osprey.serving.addresses import is_public
from osprey.serving.hosts import (
    AllowedHosts,
    Resolve,
    new_client,
    parsed_address,
    request_to,
    resolve,
)
from osprey.serving.refusals import Refused

_REDIRECTS = 3
SECONDS = 10.0  # for all of it
_STEP_SECONDS = 5.0  # without a byte
_WHAT = "the photo's address"
_HEADERS = {
    "Accept": "image/*,*/*;q=0.1",
    "Accept-Encoding": "identity",  # nothing that grows when it is unpacked
}


class Fetcher:
    """Fetches photos from allowed hosts.

    Args:
        hosts: ``HOST`` for the usual ports, or ``HOST:PORT``.
        most_bytes: Of a photo.
        seconds: For all of one photo.
        allowed: Whether a connection may go to an IP address.
        resolver: Finds the addresses of a host.
    """

    def __init__(
        self,
        hosts: Iterable[str],
        most_bytes: int,
        *,
        seconds: float = SECONDS,
        allowed: Callable[[str], bool] = is_public,
        resolver: Resolve = resolve,
    ) -> None:
        self._hosts = AllowedHosts(
            *(hosts, "photos are not fetched from", "--allow-url"),
            allowed=allowed,
            resolver=resolver,
        )
        self._most_bytes = most_bytes
        self._seconds = seconds
        self._client = new_client(_STEP_SECONDS)

    async def fetch(self, address: str, hold: Callable[[int], None]) -> bytes:
        """The bytes behind an http or https address.

        Args:
            address: As a client wrote it.
            hold: Called with every number of bytes that arrives; may refuse them.

        Raises:
            Refused: 403, it may not be fetched; 413, it is too large; 422, it cannot be had.
        """
        try:
            async with asyncio.timeout(self._seconds):
                url = parsed_address(address, _WHAT)
                for _ in range(_REDIRECTS + 1):
                    found = await self._get(url, hold)
                    if isinstance(found, bytes):
                        return found
                    url = parsed_address(found, _WHAT, url)
        except TimeoutError:
            raise unavailable(f"took longer than {self._seconds:g} seconds") from None
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError) as error:
            raise unavailable(f"cannot be fetched ({type(error).__name__})") from None
        raise unavailable(f"was redirected more than {_REDIRECTS} times")

    async def close(self) -> None:
        """Let connections go."""
        await self._client.aclose()

    async def _get(self, url: httpx2.URL, hold: Callable[[int], None]) -> bytes | str:
        """What an address answers: the photo, or another address."""
        ip = await self._hosts.address_of(url)
        request = request_to(self._client, "GET", url, ip, _HEADERS)
        response = await self._client.send(request, stream=True)
        try:
            if response.has_redirect_location:
                return response.headers["location"]
            if response.status_code != 200:
                raise unavailable(f"is answered with {response.status_code}")
            return await self._content(response, hold)
        finally:
            await response.aclose()

    async def _content(self, response: httpx2.Response, hold: Callable[[int], None]) -> bytes:
        if response.headers.get("content-encoding", "identity").lower() != "identity":
            raise unavailable("comes compressed, which was not asked for")
        parts, count = [], 0
        async for part in response.aiter_raw():
            count += len(part)
            if count > self._most_bytes:
                raise too_large(self._most_bytes)
            hold(len(part))
            parts.append(part)
        return b"".join(parts)


def unavailable(why: str) -> Refused:
    """The refusal of an address that cannot be had."""
    return Refused(422, f"{_WHAT}: {why}")


def too_large(most: int) -> Refused:
    """The refusal of an address with more than ``most`` bytes behind it."""
    return Refused(413, f"{_WHAT}: is larger than {most / 1e6:g} MB")
