"""A web site on loopback, with photos and traps."""

from __future__ import annotations

import time
from http.server import BaseHTTPRequestHandler
from typing import Any, ClassVar

from serving_help import photo


class Site(BaseHTTPRequestHandler):
    """What it gives, by the first part of the path."""

    seen: ClassVar[list[tuple[str, str]]] = []
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.seen.append((self.headers["Host"], self.path))
        kind, _, rest = self.path[1:].partition("/")
        try:
            getattr(self, f"give_{kind}", self.give_nothing)(rest)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def head(self, status: int = 200, **headers: str) -> None:
        self.send_response(status)
        for name, value in {"Connection": "close", **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.close_connection = True

    def give_photo(self, rest: str) -> None:
        self.head()
        self.wfile.write(photo())

    def give_to(self, rest: str) -> None:
        self.head(302, Location=rest)

    def give_nowhere(self, rest: str) -> None:
        self.head(302)

    def give_endless(self, rest: str) -> None:
        self.head()
        while True:
            self.wfile.write(b"x" * 65536)

    def give_drops(self, rest: str) -> None:
        self.head(Content_Length="1000000")
        while True:
            self.wfile.write(b"x")
            time.sleep(0.05)

    def give_packed(self, rest: str) -> None:
        self.head(Content_Encoding="gzip")
        self.wfile.write(b"\x1f\x8b")

    def give_headers(self, rest: str) -> None:
        self.send_response(200)
        while True:
            self.wfile.write(b"X-More: " + b"x" * 5000 + b"\r\n")

    def give_nothing(self, rest: str) -> None:
        self.head(404)

    def log_message(self, format: str, *words: Any) -> None:
        pass
