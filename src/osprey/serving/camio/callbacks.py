"""Answers, posted to the addresses that events name, at hosts that the operator allows."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

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

_SECONDS = 20.0  # for one attempt
_PASSING = (408, 425, 429)  # besides 500 and above: it may be tried again
_WHAT = "the callback_url"
LATER = 503  # the status of what may be tried again


class Callbacks:
    """Posts JSON to allowed hosts; redirects are not followed.

    Args:
        hosts: ``HOST`` for the usual ports, or ``HOST:PORT``. A name must lead to public addresses
            alone; an IP address that is named here may be one of the own network.
        allowed: Whether a connection may go to an IP address that a name leads to.
        resolver: Finds the addresses of a name.
    """

    def __init__(
        self,
        hosts: Iterable[str],
        *,
        allowed: Callable[[str], bool] = is_public,
        resolver: Resolve = resolve,
    ) -> None:
        self._hosts = AllowedHosts(
            *(hosts, "answers are not sent to", "--allow-callback"),
            allowed=allowed,
            resolver=resolver,
            named=True,
        )
        self._client = new_client(_SECONDS)

    def check(self, address: str) -> None:
        """Refuse an address that nothing would be sent to.

        Raises:
            Refused: 400, it is none; 403, its host is not allowed.
        """
        self._hosts.check(parsed_address(address, _WHAT))

    async def send(self, address: str, content: Mapping[str, Any]) -> None:
        """Post once.

        Raises:
            Refused: With status `LATER`, it may be tried again; with another, it will never do.
        """
        url = parsed_address(address, _WHAT)
        body = json.dumps(content, ensure_ascii=False).encode("utf-8", "replace")
        headers = {"Content-Type": "application/json"}
        try:
            async with asyncio.timeout(_SECONDS):
                ip = await self._hosts.address_of(url)
                request = request_to(self._client, "POST", url, ip, headers, body)
                response = await self._client.send(request, stream=True)
                await response.aclose()  # its status is all that counts
        except TimeoutError:
            raise Refused(LATER, f"{_WHAT}: took longer than {_SECONDS:g} seconds") from None
        except httpx2.InvalidURL:
            raise Refused(422, f"{_WHAT}: is no address that can be asked") from None
        except (httpx2.HTTPError, OSError) as error:
            raise Refused(LATER, f"{_WHAT}: no connection ({type(error).__name__})") from None
        status = response.status_code
        if not 200 <= status < 300:
            passing = status >= 500 or status in _PASSING
            raise Refused(LATER if passing else 422, f"{_WHAT}: is answered with {status}")

    async def close(self) -> None:
        """Let connections go."""
        await self._client.aclose()
