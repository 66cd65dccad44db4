"""Too much at once, and the end: refusals that say when to come back, and nobody forgotten."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

pytest.importorskip("fastapi", reason="the extra 'serve' is not installed")

from conftest import environment
from serving_help import Running, in_this_process, is_listening, photo, running, write_bundle

from osprey.inference.predictor import Predictor, Prepared
from osprey.inference.reader import Answer
from osprey.serving.limits import Limits

WORK = 1500  # rows of a matrix that the network multiplies for nothing: some tenths of a second


def measured(service: Running, name: str) -> float:
    """A figure of ``/metrics``."""
    lines = service.client.get("/metrics").text.splitlines()
    (line,) = [x for x in lines if x.startswith(f"{name} ")]
    return float(line.split()[1])


def queue(service: Running) -> float:
    """How many photos wait."""
    return measured(service, "osprey_queue_photos")


def wait_for_held(service: Running, count: int) -> None:
    """Until so many bytes are in memory."""
    until = time.monotonic() + 20
    while measured(service, "osprey_held_bytes") != count:
        assert time.monotonic() < until


def wait_for(condition: Callable[[], bool], busy: threading.Thread) -> None:
    """Until something is so; it must be while ``busy`` goes on."""
    while not condition():
        assert busy.is_alive()


def test_a_full_queue_says_so(tmp_path: Path) -> None:
    """What waits is answered; what does not fit is told to come back."""
    write_bundle(tmp_path / "bundle", work=WORK)
    words = ["--model", "bundle", "--queue", "8", "--batch-size", "1"]
    with running(tmp_path, *words) as service:
        files = [("images", ("a.jpg", photo()))] * 8
        found = []

        def fill() -> None:
            found.append(service.client.post("/classify/batch", files=files))

        filling = threading.Thread(target=fill)
        filling.start()
        wait_for(lambda: queue(service) == 8, filling)
        answer = service.client.post("/classify", content=photo())
        filling.join()
        assert answer.status_code == 429 and answer.headers["retry-after"] == "1"
        assert answer.json() == {
            "error": "the service is busy: 8 photos are waiting; try again in a second"
        }
        assert [a["label"] for a in found[0].json()["answers"]] == ["red"] * 8
        assert service.client.post("/classify", content=photo()).status_code == 200
        assert queue(service) == 0


def test_bodies_share_one_memory(tmp_path: Path) -> None:
    """Clients that send slowly hold no more than is set aside; the next one is told to wait."""
    write_bundle(tmp_path / "bundle")
    with running(tmp_path, "--model", "bundle", "--max-mb", "1") as service:
        head = b"POST /classify HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n"
        slow = [socket.create_connection(("127.0.0.1", service.port)) for _ in range(8)]
        try:
            for line in slow:
                line.sendall(head + b"x" * 999_000)
            wait_for_held(service, 8 * 999_000)
            answer = service.client.post("/classify", content=b"\xff" * 9_000)
            assert answer.status_code == 429 and answer.headers["retry-after"] == "1"
            assert answer.json() == {
                "error": "the service is busy: other requests hold all memory set aside for "
                "photos; try again in a second"
            }
        finally:
            for line in slow:
                line.close()
        wait_for_held(service, 0)
        assert service.client.post("/classify", content=photo()).status_code == 200


def test_an_answer_that_takes_too_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A network that gives no answer until the client has been told to come back."""
    told = threading.Event()
    answers = Predictor.answers

    def late(self: Predictor, photos: Sequence[Prepared]) -> list[Answer]:
        assert told.wait(60)
        return answers(self, photos)

    async def ask() -> None:
        bundle = write_bundle(tmp_path / "bundle")
        async with in_this_process(bundle, limits=Limits(seconds=0.2)) as client:
            while (await client.get("/readyz")).status_code != 200:
                await asyncio.sleep(0.01)
            monkeypatch.setattr(Predictor, "answers", late)
            answer = await client.post("/classify", content=photo())
            told.set()
            assert answer.status_code == 429 and answer.headers["retry-after"] == "1"
            assert answer.json() == {
                "error": "the service is busy: no answer within 0.2 seconds; try again in a second"
            }

    asyncio.run(ask())


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_lets_no_request_down(tmp_path: Path, number: int) -> None:
    """Those under way are answered, new connections are refused, and the exit code says why."""
    write_bundle(tmp_path / "bundle", work=WORK)
    with running(tmp_path, "--model", "bundle", "--batch-size", "1") as service:
        half = socket.create_connection(("127.0.0.1", service.port), timeout=60)
        body = photo()
        head = b"POST /classify HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body)
        half.sendall(head + body[:100])  # a body that is still on its way

        files = [("images", ("a.jpg", body))] * 8
        found = []

        def ask() -> None:
            found.append(service.client.post("/classify/batch", files=files))

        asking = threading.Thread(target=ask)
        asking.start()
        wait_for(lambda: queue(service) == 8, asking)
        service.process.send_signal(number)
        while is_listening(service):
            assert asking.is_alive()
        half.sendall(body[100:])
        asking.join()
        assert [a["label"] for a in found[0].json()["answers"]] == ["red"] * 8
        received = b""
        while part := half.recv(65536):
            received += part
        assert json.loads(received.partition(b"\r\n\r\n")[2])["label"] == "red"
        out, err = service.process.communicate(timeout=60)
        assert (service.process.returncode, err) == (128 + number, "osprey serve: stopped\n")
        service.stopped = (service.process.returncode, out, err)


def test_a_signal_while_nothing_is_asked(tmp_path: Path) -> None:
    write_bundle(tmp_path / "bundle")
    with running(tmp_path, "--model", "bundle") as service:
        code, out, err = service.stop()
    assert (code, out, err) == (143, "", "osprey serve: stopped\n")


def test_nothing_is_answered_before_the_models_are_warm(tmp_path: Path) -> None:
    loading = {"error": "the service is loading its models; try again soon"}

    async def ask() -> None:
        async with in_this_process(write_bundle(tmp_path / "bundle")) as client:
            for method, path in (("GET", "/readyz"), ("POST", "/classify"), ("POST", "/detect")):
                answer = await client.request(method, path, content=b"")
                assert (answer.status_code, answer.json()) == (503, loading)
                assert answer.headers["retry-after"] == "1"
            assert (await client.get("/healthz")).status_code == 200
            (model,) = (await client.get("/models")).json()["models"]
            assert model == {"name": "colours", "path": "/classify", "ready": False}
            while (await client.get("/readyz")).status_code != 200:
                await asyncio.sleep(0.01)
            answer = await client.post("/classify", content=photo())
            assert answer.json()["label"] == "red"

    asyncio.run(ask())


def test_the_first_request_imports_nothing(tmp_path: Path) -> None:
    """What a request needs is there once the service is ready."""
    code = (
        "import asyncio, sys; from pathlib import Path\n"
        "from serving_help import *\n"
        "async def ask():\n"
        "    async with in_this_process(write_bundle(Path('bundle'))) as client:\n"
        "        while (await client.get('/readyz')).status_code != 200:\n"
        "            await asyncio.sleep(0.01)\n"
        "        before = set(sys.modules)\n"
        "        for form in ('JPEG', 'PNG', 'WEBP', 'BMP', 'TIFF', 'GIF', 'PPM'):\n"
        "            answer = await client.post('/classify', content=photo(form=form))\n"
        "            assert answer.status_code == 200, answer.text\n"
        "        answer = await client.post('/classify', files={'image': photo()})\n"
        "        assert answer.status_code == 200, answer.text\n"
        "        print(sorted(set(sys.modules) - before))\n"
        "asyncio.run(ask())"
    )
    path = str(Path(__file__).parent) + ":" + str(Path(__file__).parents[1])
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=environment(EXTRA_PATH=path),
        capture_output=True,
        text=True,
    )
    assert done.stdout == "[]\n", done.stdout + done.stderr
