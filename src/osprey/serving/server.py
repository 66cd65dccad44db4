"""The service on a port, until a signal ends it."""

from __future__ import annotations

import contextlib
import math
import socket

import uvicorn

from osprey.errors import UserError
from osprey.serving.app import create_app
from osprey.serving.protocol import BACKLOG, BoundedProtocol, allow_connections
from osprey.serving.service import Service
from osprey.system.console import say


def serve(service: Service, host: str, port: int) -> None:
    """Answer until a signal: then no connection is taken, and what was asked is answered.

    Args:
        service: What to answer with.
        host: Address to listen on.
        port: Of TCP; 0 for any that is free.

    Raises:
        UserError: The port is taken, or a bundle cannot be loaded.
    """
    listener = _listener(host, port)
    address = f"[{host}]" if ":" in host else host
    names = ", ".join(model.name for model in service.models.all)
    say(f"serving {names} on http://{address}:{listener.getsockname()[1]}")
    server = server_of(service)
    try:
        server.run(sockets=[listener])
    finally:
        listener.close()
    if service.failure is not None:
        raise service.failure


def server_of(service: Service) -> uvicorn.Server:
    """The server, not running yet."""
    BoundedProtocol.most_connections = allow_connections()
    app = create_app(service, lambda: setattr(server, "should_exit", True))
    config = uvicorn.Config(
        app,
        http=BoundedProtocol,
        ws="none",
        lifespan="on",
        log_config=None,
        log_level="error",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        backlog=BACKLOG,
        timeout_keep_alive=30,
        # A body, then its answer.
        timeout_graceful_shutdown=math.ceil(2 * service.limits.seconds),
    )
    server = uvicorn.Server(config)
    return server


def _listener(host: str, port: int) -> socket.socket:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except OSError:
        raise UserError(f"--host: '{host}' is no address of this machine") from None
    listener = socket.socket(family, kind, protocol)
    with contextlib.suppress(OSError):
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(address)
        listener.listen(BACKLOG)  # who reads that it is served may ask at once, and waits
    except OSError as error:
        listener.close()
        raise UserError(
            f"--port: {port} on {host} cannot be listened on ({error.strerror}): name another"
        ) from None
    return listener
