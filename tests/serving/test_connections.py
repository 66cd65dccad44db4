"""What is done to the connection itself: lies about length, floods, silence, smuggling."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

pytest.importorskip("fastapi", reason="the extra 'serve' is not installed")

import httpx2
from serving_help import Running, photo, running, write_bundle

HOST = b"POST /classify HTTP/1.1\r\nHost: x\r\n"
TOO_LARGE = "the body is larger than 1 MB; shrink the photo first"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("connections")
    write_bundle(folder / "bundle")
    with running(folder, "--model", "bundle", "--max-mb", "1", "--timeout", "2") as found:
        yield found
        assert found.client.post("/classify", content=photo()).json()["label"] == "red"
        assert 'status="500"' not in found.client.get("/metrics").text


def connected(service: Running) -> socket.socket:
    return socket.create_connection(("127.0.0.1", service.port), timeout=30)


def everything(line: socket.socket) -> bytes:
    """What comes until the service closes the connection."""
    parts = []
    with suppress(ConnectionResetError):
        while part := line.recv(65536):
            parts.append(part)
    return b"".join(parts)


def answers_to(service: Running, sent: bytes) -> list[tuple[int, dict[str, str]]]:
    """Status and content of every response, until the service closes."""
    with connected(service) as line:
        with suppress(BrokenPipeError, ConnectionResetError):
            line.sendall(sent)
        received = everything(line)
    found = []
    while received:
        head, _, rest = received.partition(b"\r\n\r\n")
        (length,) = [int(x.split(b":")[1]) for x in head.lower().split(b"\r\n")
                     if x.startswith(b"content-length")]  # fmt: skip
        found.append((int(head.split()[1]), json.loads(rest[:length])))
        received = rest[length:]
    return found


NOT_HTTP = (400, {"error": "the request is not valid HTTP"})


def test_a_length_over_the_limit_is_refused_before_the_body(service: Running) -> None:
    sent = HOST + b"Content-Length: 1000001\r\n\r\n"
    assert answers_to(service, sent) == [(413, {"error": TOO_LARGE})]


def test_chunks_over_the_limit_are_cut(service: Running) -> None:
    chunk = b"40000\r\n" + b"x" * 0x40000 + b"\r\n"
    sent = HOST + b"Transfer-Encoding: chunked\r\n\r\n" + chunk * 200
    assert answers_to(service, sent) == [(413, {"error": TOO_LARGE})]


def test_chunks_within_the_limit_are_a_photo(service: Running) -> None:
    def parts() -> Iterator[bytes]:
        for place in range(0, len(photo()), 100):
            yield photo()[place : place + 100]

    assert service.client.post("/classify", content=parts()).json()["label"] == "red"


def test_a_length_that_promises_too_much(service: Running) -> None:
    sent = HOST + b"Content-Length: 1000\r\n\r\nshort"
    assert answers_to(service, sent) == [
        (408, {"error": "the body took longer than 2 seconds"})
    ]  # fmt: skip


def test_a_length_that_promises_too_little(service: Running) -> None:
    body = b"hello GET /models HTTP/1.1"
    sent = HOST + b"Content-Length: 5\r\n\r\n" + body
    first, *rest = answers_to(service, sent)
    assert first[0] == 422 and rest in ([], [NOT_HTTP])


@pytest.mark.parametrize(
    "lines",
    [
        b"Content-Length: 5\r\nContent-Length: 6\r\n",
        b"Content-Length: -1\r\n",
        b"Content-Length: 5x\r\n",
        b"Content-Length: 99999999999999999999999\r\n",
        b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        b"Transfer-Encoding: chunked, identity\r\n",
        b"Transfer-Encoding : chunked\r\n",
        b" Folded: x\r\n",
        b"No colon\r\n",
        b"X: \0\r\n",
    ],
)
def test_smuggling_shapes(service: Running, lines: bytes) -> None:
    """One refusal, and what follows is not taken for a request."""
    sent = HOST + lines + b"\r\n5\r\nhello\r\n0\r\n\r\nGET /models HTTP/1.1\r\nHost: x\r\n\r\n"
    assert answers_to(service, sent) == [NOT_HTTP]


@pytest.mark.parametrize("sent", [b"\x16\x03\x01\x02\0\x01\0", b"hello\r\n\r\n", b"GET\r\n\r\n"])
def test_what_is_no_http(service: Running, sent: bytes) -> None:
    assert answers_to(service, sent) == [NOT_HTTP]


def test_endless_headers(service: Running) -> None:
    for sent in (HOST + b"X: y\r\n" * 100_000, b"GET /" + b"x" * 1_000_000):
        ((status, content),) = answers_to(service, sent)
        assert (status, content) in (
            (431, {"error": "the headers are larger than 65536 bytes"}), NOT_HTTP,
        )  # fmt: skip


def test_a_body_that_is_refused_unread_ends_the_connection(service: Running) -> None:
    """Else its rest, which nobody reads, would be taken for the next request."""
    body = b"GET /models HTTP/1.1\r\nHost: x\r\n\r\n"
    for path in (b"/nothing", b"/detect", b"/classify?model=none"):
        sent = b"POST " + path + b" HTTP/1.1\r\nHost: x\r\nContent-Length: 9000\r\n\r\n" + body
        ((status, _),) = answers_to(service, sent)
        assert status == 404


def test_two_requests_in_one_breath(service: Running) -> None:
    one = HOST + b"Content-Length: %d\r\n\r\n" % len(photo()) + photo()
    last = one.replace(b"Host: x", b"Host: x\r\nConnection: close")
    assert [status for status, _ in answers_to(service, one + last)] == [200, 200]


@pytest.mark.slow
def test_half_a_head_does_not_keep_a_connection(service: Running) -> None:
    with connected(service) as silent, connected(service) as slow:
        slow.sendall(b"GET /models HT")
        assert everything(silent) == everything(slow) == b""  # closed after ten seconds


def test_a_client_that_leaves(service: Running) -> None:
    for sent in (
        HOST,
        HOST + b"Content-Length: 1000\r\n\r\nabc",
        HOST + b"Content-Length: 9\r\n\r",
    ):
        with connected(service) as line:
            line.sendall(sent)
    with connected(service) as line:  # and does not wait for its answer
        line.sendall(HOST + b"Content-Length: %d\r\n\r\n" % len(photo()) + photo())


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("prlimit") is None, reason="prlimit is not here")
@pytest.mark.parametrize(("descriptors", "holders"), [(1300, 2), (4000, 12)])
def test_more_silent_connections_than_it_may_hold(
    tmp_path: Path, descriptors: int, holders: int
) -> None:
    """Of 900 in each of several processes; the last is ten thousand."""
    write_bundle(tmp_path / "bundle")
    hold = (
        "import socket, sys\n"
        "held = [socket.create_connection(('127.0.0.1', int(sys.argv[1]))) for _ in range(900)]\n"
        "print('held', flush=True); sys.stdin.read()"
    )
    few = ["prlimit", f"--nofile={descriptors}:{descriptors}"]
    with running(tmp_path, "--model", "bundle", before=few) as service:
        url = f"http://127.0.0.1:{service.port}/classify"
        words = [sys.executable, "-c", hold, str(service.port)]
        started = []
        try:
            for _ in range(holders):
                holder = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
                started.append(holder)
                assert holder.stdout is not None and holder.stdout.readline() == b"held\n"
                # A new client: a connection kept from before may have been the longest silent.
                answer = httpx2.post(url, content=photo(), timeout=60, trust_env=False)
                assert answer.json()["label"] == "red"
        finally:
            for holder in started:
                holder.communicate()
