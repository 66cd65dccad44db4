"""HTTP on one connection, with what a stranger may do to it bounded."""

from __future__ import annotations

import asyncio
import json
from typing import Any, ClassVar

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

_HEAD_BYTES = 65_536  # of a request's first line and headers
_HEAD_SECONDS = 10.0  # for these to arrive
BACKLOG = 128  # connections that asyncio accepts in one go
# Descriptors kept for files of our own, and for connections accepted but not looked at yet: asyncio
# goes round up to four times before it tells a protocol of its connection.
_SPARE = 4 * BACKLOG + 64


class BoundedProtocol(HttpToolsProtocol):
    """uvicorn's, and beyond it: headers of bounded size and time, JSON for what is no HTTP.

    When connections run out, one that asks nothing gives way to a new one.
    """

    most_connections = 1000  # set by the server from what the system allows
    _silent: ClassVar[dict[BoundedProtocol, None]] = {}  # that ask nothing, the longest first

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self._head = 0  # bytes of the head that is arriving
        self._in_head = True
        self._deaf = False
        self._late: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start the clock for the first request."""
        super().connection_made(transport)
        self._late = self.loop.call_later(_HEAD_SECONDS, self._too_late)
        self._silent[self] = None
        if len(self.connections) > self.most_connections:
            longest = next(iter(self._silent))
            del self._silent[longest]
            longest.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the clock."""
        self._silent.pop(self, None)
        self._stop_clock()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Count what arrives until the headers are complete."""
        if self._deaf:
            return
        if self._in_head:
            self._head += len(data)
            if self._late is None:
                self._late = self.loop.call_later(_HEAD_SECONDS, self._too_late)
        super().data_received(data)
        if self._in_head and self._head > _HEAD_BYTES and not self.transport.is_closing():
            self._refuse(431, f"the headers are larger than {_HEAD_BYTES} bytes")

    def on_headers_complete(self) -> None:
        """The body comes next, which the service bounds itself."""
        self._in_head = False
        self._silent.pop(self, None)
        self._stop_clock()
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """The next head may come."""
        super().on_message_complete()
        self._in_head, self._head = True, 0

    def on_response_complete(self) -> None:
        """Nothing is asked here for now."""
        super().on_response_complete()
        if self.is_idle and not self.transport.is_closing():
            self._silent[self] = None

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no HTTP, in the form of all refusals."""
        self._refuse(400, "the request is not valid HTTP")

    @property
    def is_idle(self) -> bool:
        """Whether nothing is asked here."""
        return self.cycle is None or self.cycle.response_complete

    def _too_late(self) -> None:
        self._late = None
        if self._in_head and self.is_idle and not self.transport.is_closing():
            self.transport.close()

    def _stop_clock(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None

    def _refuse(self, status: int, reason: str) -> None:
        """Answer what cannot be read on from, and close."""
        if self._in_head and not self.is_idle:
            # The request before is still to be answered; then it is over.
            self.cycle.keep_alive = False
            self._deaf = True
            return
        if not (self.pipeline or (self.cycle and self.cycle.response_started and not self.is_idle)):
            body = json.dumps({"error": reason}).encode()
            lines = (
                b"content-type: application/json",
                b"content-length: " + str(len(body)).encode(),
                b"connection: close",
            )
            head = STATUS_LINE[status] + b"".join(line + b"\r\n" for line in lines)
            self.transport.write(head + b"\r\n" + body)
        self.transport.close()


def allow_connections() -> int:
    """Ask the system for as many connections as it allows.

    Returns:
        How many may be open at once.
    """
    try:
        import resource
    except ImportError:  # Windows
        return BoundedProtocol.most_connections
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        soft = hard
    except (OSError, ValueError):
        pass
    if soft == resource.RLIM_INFINITY:
        return 100_000
    return min(soft - min(_SPARE, soft // 2), 100_000)
