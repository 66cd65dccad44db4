"""``classify --server``: the answers of a bundle, from a service that runs."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import pytest

pytest.importorskip("fastapi", reason="the extra 'serve' is not installed")

from conftest import Result
from serving_help import Running, photo, running, write_bundle

Osprey = Callable[..., Result]


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("asked")
    write_bundle(folder / "registry" / "colour" / "1")
    write_bundle(folder / "registry" / "box" / "1", reader="box_reader.WholePhoto")
    shutil.copy(Path(__file__).with_name("box_reader.py"), folder)
    (folder / "keys.txt").write_text("sesame\n")
    words = ["--model", "colour", "--model", "box", "--api-key-file", "keys.txt"]
    with running(folder, *words, "--plugin", "box_reader") as found:
        yield found


@pytest.fixture
def asked(
    service: Running, here: Path, osprey: Osprey, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Result]:
    monkeypatch.setenv("OSPREY_API_KEY", "sesame")
    for colour in ("red", "blue"):
        (here / f"{colour}.png").write_bytes(photo(colour, "PNG"))
    (here / "cut.jpg").write_bytes(photo()[:200])
    return lambda *words: osprey("classify", "--server", str(service.client.base_url), *words)


def test_it_answers_as_a_bundle_does(asked: Callable[..., Result]) -> None:
    assert asked("--image", "red.png").out == "['red']\n"
    loud = asked("--image", "red.png", "--verbose")
    assert loud.out.startswith("[['red', ") and "model: colour@1 at http://" in loud.err
    several = asked("--image", "red.png", "blue.png", "cut.jpg", "--strict")
    assert (several.code, several.out) == (1, "red.png: ['red']\nblue.png: ['blue']\n")
    assert "cut.jpg: " in several.err and "1 photo could not be read" in several.err
    boxes = asked("--image", "red.png", "--model", "box", "--verbose")
    assert (boxes.code, boxes.out) == (0, "[['red', 1, [0, 0, 64, 48]]]\n")


def test_what_goes_wrong(
    asked: Callable[..., Result], osprey: Osprey, monkeypatch: pytest.MonkeyPatch
) -> None:
    cut = asked("--image", "cut.jpg")
    assert cut.code == 2 and "truncated JPEG" in cut.err
    assert "there is no model 'dog'" in asked("--image", "red.png", "--model", "dog").err
    monkeypatch.delenv("OSPREY_API_KEY")
    assert "refuses: an API key is needed" in asked("--image", "red.png").err
    nobody = osprey("classify", "--image", "red.png", "--server", "http://127.0.0.1:9")
    assert nobody.code == 2 and "'http://127.0.0.1:9' cannot be reached (" in nobody.err
    for words, message in (
        (["--server", "here"], "--server: 'here' is no address such as http://localhost:8080"),
        (["--server", "http://x", "--output", "a.csv"], "--server goes with --image, without "
                                                        "--output"),
    ):  # fmt: skip
        result = osprey("classify", "--image", "red.png", *words)
        assert (result.code, result.err) == (2, f"osprey classify: {message}\n")


class Odd(BaseHTTPRequestHandler):
    """Sends to another address, or breaks off in the middle of an error."""

    keys: ClassVar[list[str | None]] = []  # seen at the other address

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        if self.path.startswith("/to/"):
            self.send_response(302)
            self.send_header("Location", "/other")
            self.end_headers()
            return
        self.send_response(500)
        self.send_header("Content-Length", "100")
        self.end_headers()
        self.wfile.write(b"{")

    def do_GET(self) -> None:
        self.keys.append(self.headers["X-API-Key"])
        self.send_error(404)

    def log_message(self, format: str, *words: object) -> None:
        pass


def test_a_key_goes_nowhere_else(
    here: Path, osprey: Osprey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OSPREY_API_KEY", "sesame")
    (here / "red.png").write_bytes(photo("red", "PNG"))
    server = ThreadingHTTPServer(("127.0.0.1", 0), Odd)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        url = f"http://127.0.0.1:{server.server_port}"
        for path, reason in (
            ("/to", "refuses: it leads to another address, and a key is sent nowhere else: "
                    "name that one"),
            ("", "cannot be reached (the answer breaks off)"),
        ):  # fmt: skip
            result = osprey("classify", "--image", "red.png", "--server", url + path)
            assert (result.code, result.err) == (
                2, f"osprey classify: --server: '{url}{path}' {reason}\n",
            )  # fmt: skip
    finally:
        server.shutdown()
        server.server_close()
    assert Odd.keys == []
