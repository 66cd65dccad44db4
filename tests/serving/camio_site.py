"""A stand-in for Camio on loopback: takes registrations, posts events, takes their labels."""

from __future__ import annotations

import base64
import json
import queue
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx2

TOKEN = "camio-secret"


class Camio:
    """What it was told, and how it answers next."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.hooks: list[dict[str, str]] = []
        self.answers: queue.Queue[dict[str, Any]] = queue.Queue()
        self.statuses: list[int] = []  # of the next answers to callbacks; 200 afterwards
        self.called: list[str] = []  # the path of every callback
        self.gate = threading.Event()  # callbacks are answered once it is open
        self.gate.set()

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    def event(self, *photos: bytes, **more: Any) -> dict[str, Any]:
        """An event as Camio sends it; its photos are a second apart."""
        images = [
            {
                "type": "image/jpeg",
                "size": [64, 48],
                "timestamp": f"2026-05-05T01:31:{second:02d}.738647",
                "image_b64": base64.b64encode(content).decode(),
            }
            for second, content in enumerate(photos)
        ]
        address = f"http://{self.host}/labels/1"
        event = {"images": images, "callback_url": address, "user_id": "7", "camera": "boat"}
        return {**event, **more}

    def post_event(self, hook: str, *photos: bytes) -> httpx2.Response:
        """Call a hook that was registered."""
        return httpx2.post(hook, json=self.event(*photos), trust_env=False)

    def answer(self) -> dict[str, Any]:
        """The next one that comes."""
        return self.answers.get(timeout=60)


@contextmanager
def camio_site() -> Iterator[Camio]:
    """It, until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            content = json.loads(body)
            if self.path == "/api/users/me/hooks":
                self.register(content)
            elif self.path.startswith("/labels/"):
                camio.called.append(self.path)
                if self.path == "/labels/lost":
                    self.reply(500, {})
                    return
                assert camio.gate.wait(60)
                status = camio.statuses.pop(0) if camio.statuses else 200
                if status == 200:
                    camio.answers.put(content)
                self.reply(status, {}, Location=f"http://{camio.host}/labels/elsewhere")
            else:
                self.reply(404, {})

        def register(self, content: dict[str, str]) -> None:
            if self.headers["Authorization"] != f"token {TOKEN}":
                self.reply(401, {"error": "no such token"})
            elif set(content) != {"callback_url", "type", "parsed_query"}:
                self.reply(400, {"error": "fields"})
            elif content["parsed_query"] == "again":
                self.reply(409, {"error": f"{content['callback_url']} is there already"})
            elif content["parsed_query"] == "elsewhere":
                self.reply(302, {}, Location=f"http://{camio.host}/api/users/me/hooks")
            else:
                camio.hooks.append(content)
                self.reply(200, {"id": f"hook-{len(camio.hooks)}"})

        def reply(self, status: int, content: dict[str, str], **headers: str) -> None:
            body = json.dumps(content).encode()
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *words: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    camio = Camio(server.server_port)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield camio
    finally:
        camio.gate.set()
        server.shutdown()
        server.server_close()
