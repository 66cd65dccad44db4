"""Hosts that the operator allows, and the addresses on the network that their names lead to.

A name is resolved once, every address that it leads to is checked, and the connection goes to a
checked one: a second answer of the name server's changes nothing.
"""

from __future__ import annotations

import asyncio
import ipaddress
import re
import socket
from collections.abc import Awaitable, Callable, Iterable, Mapping

import httpx2

from osprey import __version__
from osprey.errors import UserError
from osprey.imaging.decode_errors import one_line
from osprey.serving.addresses import is_public
from osprey.serving.refusals import Refused

_PORTS = {"http": 80, "https": 443}
_LONGEST = 2048
_HOST = re.compile(r"(?P<name>[\w.-]+|\[?[0-9a-f:.]+\]?)(?::(?P<port>\d{1,5}))?", re.IGNORECASE)

Resolve = Callable[[str, int], Awaitable[list[str]]]


async def resolve(host: str, port: int) -> list[str]:
    """The IP addresses of a host.

    Raises:
        OSError: There are none.
    """
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(address[0]) for *_, address in found]


class AllowedHosts:
    """The hosts of an option, to which connections may go.

    Args:
        hosts: ``HOST`` for the usual ports, or ``HOST:PORT``.
        refusal: What is not done with another host, such as ``photos are not fetched from``.
        option: That allows one.
        allowed: Whether a connection may go to an IP address.
        resolver: Finds the addresses of a host.
        named: An IP address that the operator names itself may be one of the own network.

    Raises:
        UserError: One of ``hosts`` is no host, and would allow nothing.
    """

    def __init__(
        self,
        hosts: Iterable[str],
        refusal: str,
        option: str,
        *,
        allowed: Callable[[str], bool] = is_public,
        resolver: Resolve = resolve,
        named: bool = False,
    ) -> None:
        self._hosts = {_host(host, option) for host in hosts}
        self._refusal, self._option = refusal, option
        self._allowed = allowed
        self._resolve = resolver
        self._named = named

    def check(self, url: httpx2.URL) -> None:
        """Refuse a host that is not of the list.

        Raises:
            Refused: 403.
        """
        name, port = url.host.lower(), _port(url)
        if not (name in self._hosts and url.port is None) and f"{name}:{port}" not in self._hosts:
            shown = one_line(url.host if url.port is None else f"{url.host}:{port}")[:100]
            raise Refused(403, f"{self._refusal} '{shown}': {self._option} allows a host")

    async def address_of(self, url: httpx2.URL) -> str:
        """A checked IP address of an allowed host.

        Raises:
            Refused: 403, the host is not of the list or leads to a machine of one's own.
            OSError: It has no address.
        """
        self.check(url)
        if self._named and _is_ip(url.host):
            return url.host
        found = await self._resolve(url.host, _port(url))
        if not found or not all(self._allowed(ip) for ip in found):
            shown = one_line(url.host)[:100]
            raise Refused(403, f"'{shown}' leads to an address that is not public")
        return found[0]


def _host(word: str, option: str) -> str:
    """The host of an option as addresses are compared with it."""
    found = _HOST.fullmatch(word)
    if found is None or not 0 < int(found["port"] or 80) < 65536:
        raise UserError(
            f"{option}: '{one_line(word)}' is no host: write HOST or HOST:PORT, such as camio.com"
        )
    return word.lower()


def new_client(seconds: float) -> httpx2.AsyncClient:
    """A client that takes nothing from the environment, follows nothing and keeps no connection.

    Args:
        seconds: That a step may take.
    """
    return httpx2.AsyncClient(
        trust_env=False,
        follow_redirects=False,
        timeout=seconds,
        # No connection is kept: it was checked for one name.
        limits=httpx2.Limits(max_connections=32, max_keepalive_connections=0),
    )


def request_to(
    client: httpx2.AsyncClient,
    method: str,
    url: httpx2.URL,
    ip: str,
    headers: Mapping[str, str],
    content: bytes | None = None,
) -> httpx2.Request:
    """A request about an address that goes to a checked IP address.

    Args:
        client: That will send it.
        method: Of HTTP.
        url: What is asked for; its host is named, and its certificate checked.
        ip: Where the connection goes.
        headers: Further ones.
        content: The body, or None.
    """
    return client.build_request(
        method,
        url.copy_with(host=ip, fragment=None),
        headers={
            "Host": url.netloc.decode("ascii"),
            "User-Agent": f"osprey/{__version__}",
            **headers,
        },
        content=content,
        extensions={"sni_hostname": url.host},
    )


def parsed_address(address: str, what: str, base: httpx2.URL | None = None) -> httpx2.URL:
    """An address of http or https, without a password in it.

    Args:
        address: As a stranger wrote it.
        what: It is called in a refusal.
        base: What it may be relative to.

    Raises:
        Refused: 400, it is none.
    """
    if len(address) > _LONGEST:
        raise Refused(400, f"{what} is longer than {_LONGEST} characters")
    try:
        url = base.join(address) if base is not None else httpx2.URL(address)
    except (httpx2.InvalidURL, ValueError, UnicodeError):
        url = None
    if url is None or url.scheme not in _PORTS or not url.host:
        raise Refused(400, f"{what} must begin with http:// or https:// and a host")
    if url.userinfo:
        raise Refused(400, f"{what} must not hold a user or password")
    return url


def _port(url: httpx2.URL) -> int:
    return url.port or _PORTS[url.scheme]


def _is_ip(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
