"""Camio's hook protocol against a stand-in that speaks it: events in, labels out."""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("fastapi", reason="the extra 'serve' is not installed")

from camio_site import TOKEN, Camio, camio_site
from conftest import Result
from serving_help import Running, in_this_process, is_listening, photo, running, write_bundle

from osprey.commands import camio as command

Osprey = Callable[..., Result]
TIMES = [f"2026-05-05T01:31:{second:02d}.738647" for second in range(3)]


@pytest.fixture(scope="module")
def camio() -> Iterator[Camio]:
    with camio_site() as found:
        yield found


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, camio: Camio) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("camio")
    write_bundle(folder / "registry" / "colour" / "1")
    write_bundle(folder / "registry" / "box" / "1", reader="box_reader.WholePhoto")
    shutil.copy(Path(__file__).with_name("box_reader.py"), folder)
    (folder / "keys.txt").write_text("sesame street\nanother\nab/cd+e=\n")
    words = ["--model", "colour", "--model", "box", "--api-key-file", "keys.txt", "--queue", "4"]
    words += ["--allow-callback", camio.host, "--plugin", "box_reader"]
    with running(folder, *words, key="another") as found:
        yield found


def figure(service: Running, name: str) -> float:
    lines = service.client.get("/metrics").text.splitlines()
    return float(next((x for x in lines if x.startswith(f"{name} ")), "x 0").split()[1])


def failed(service: Running) -> float:
    return figure(service, 'osprey_hook_events_total{outcome="failed"}')


def wait_for(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.01)


def test_an_event_comes_back_with_labels(service: Running, camio: Camio) -> None:
    """The second photo's label, and the time of each as Camio wrote it."""
    event = camio.event(photo("red"), photo("blue"))
    answer = service.client.post("/tasks/another", json=event)
    assert (answer.status_code, answer.text) == (200, "ok")
    found = camio.answer()
    assert list(found) == ["status", "labels"] and found["status"] == "success"
    assert list(found["labels"]) == TIMES[:2]
    (red,), (blue,) = (found["labels"][at].items() for at in TIMES[:2])
    assert (red[0], blue[0]) == ("red", "blue")
    assert set(red[1]) == {"probability", "polygon"} and red[1]["polygon"] == []
    asked = service.client.post("/classify?model=colour", content=photo("red")).json()
    assert red[1]["probability"] == asked["score"]
    wait_for(lambda: service.client.get("/tasks/another").json() == [])
    assert figure(service, 'osprey_hook_events_total{outcome="answered"}') >= 1
    assert figure(service, "osprey_hook_pending") == 0


def test_boxes_become_polygons(service: Running, camio: Camio) -> None:
    service.client.post("/tasks/another?model=box", json=camio.event(photo("green")))
    assert camio.answer()["labels"] == {
        TIMES[0]: {"green": {"probability": 1, "polygon": [[0, 0], [1, 0], [1, 1], [0, 1]]}}
    }


def test_alive(service: Running) -> None:
    """Both ways that Camio's example and its description ask."""
    assert service.client.get("/", headers={"x-api-key": ""}).status_code == 200
    alive = service.client.get("/tasks/", headers={"x-api-key": ""})
    assert (alive.status_code, alive.text) == (200, "ok")


@pytest.mark.parametrize("key", ["x", "anothe", "another2", "%00", "sesame", "\u00e9"])
def test_wrong_keys(service: Running, camio: Camio, key: str) -> None:
    """Whatever the headers say: the key is the end of the address."""
    for answer in (
        service.client.post(f"/tasks/{key}", json=camio.event(photo())),
        service.client.post(f"/tasks/{key}", content=b"no event"),
        service.client.get(f"/tasks/{key}"),
    ):
        assert (answer.status_code, answer.text) == (400, "Invalid API Key")


def test_a_key_may_hold_a_slash(service: Running, camio: Camio) -> None:
    for hook in ("/tasks/ab%2Fcd%2Be%3D", "/tasks/ab/cd+e="):
        assert service.client.get(hook).status_code == 200
        assert service.client.post(hook, json=camio.event(photo())).text == "ok"
        assert list(camio.answer()["labels"][TIMES[0]]) == ["red"]


FORM = 'send {"images": [{"timestamp", "image_b64"}], "callback_url", "user_id", "camera"}'


def test_what_is_no_event(service: Running, camio: Camio) -> None:
    def refused(content: Any, status: int, reason: str, path: str = "/tasks/another") -> None:
        words: dict[str, Any] = {"content" if isinstance(content, bytes) else "json": content}
        answer = service.client.post(path, **words)
        assert (answer.status_code, answer.json()) == (status, {"error": reason})

    event = camio.event(photo())
    refused(b"{", 400, f"the body is no JSON: {FORM}")
    refused(b"[" * 4_000, 400, f"the body is no JSON: {FORM}")
    refused(b"[" * 100_000, 400, "the body's JSON has more than 5000 parts")
    for content in ([], 1, {}, {**event, "images": {}}, {**event, "callback_url": 7}):
        refused(content, 400, f"the body is no event: {FORM}")
    for image in (1, {}, {"timestamp": ""}, {"timestamp": "x" * 201}, {"timestamp": 3}):
        refused({**event, "images": [image]}, 400, f"an image has no timestamp: {FORM}")
    refused({**event, "callback_url": "file:///etc/passwd"}, 400,
            "the callback_url must begin with http:// or https:// and a host")  # fmt: skip
    for address, shown in (
        ("http://127.0.0.1/x", "127.0.0.1"),
        ("http://169.254.169.254/latest", "169.254.169.254"),
        (f"http://localhost:{camio.port}/labels/1", f"localhost:{camio.port}"),
        ("https://camio.com/", "camio.com"),
    ):
        refused({**event, "callback_url": address}, 403,
                f"answers are not sent to '{shown}': --allow-callback allows a host")  # fmt: skip
    refused(camio.event(*[photo()] * 5), 413, "5 photos are more than the 4 that are taken at once")
    deep = b'{"images": [], "camera": ' + b"[" * 800 + b"]" * 800 + b', "callback_url": "x"}'
    refused(deep, 400, "the callback_url must begin with http:// or https:// and a host")
    refused(event, 404, "there is no model 'colours'; did you mean 'colour'?",
            "/tasks/another?model=colours")  # fmt: skip
    assert service.client.get("/tasks/another").json() == []


def test_photos_that_cannot_be_read(service: Running, camio: Camio) -> None:
    """One beside others has no labels; where there are none at all, nothing is posted."""
    event = camio.event(photo(), photo()[:200], b"")
    event["images"][2]["image_b64"] = "not base64!"
    service.client.post("/tasks/another", json=event)
    assert list(camio.answer()["labels"]) == TIMES[:1]
    before, calls = failed(service), len(camio.called)
    event["images"] = event["images"][1:]
    assert service.client.post("/tasks/another", json=event).text == "ok"
    wait_for(lambda: failed(service) == before + 1)
    service.client.post("/tasks/another", json=camio.event())
    assert camio.answer() == {"status": "success", "labels": {}}
    assert len(camio.called) == calls + 1


def test_callbacks_that_fail(service: Running, camio: Camio) -> None:
    """What passes is tried again a second later; what does not is given up, redirects too."""
    camio.statuses[:] = [503]
    service.client.post("/tasks/another", json=camio.event(photo()))
    assert list(camio.answer()["labels"]) == TIMES[:1]
    for status in (404, 302):
        before, calls = failed(service), len(camio.called)
        camio.statuses[:] = [status]
        service.client.post("/tasks/another", json=camio.event(photo()))
        wait_for(lambda count=before + 1: failed(service) == count)  # type: ignore[misc]
        assert len(camio.called) == calls + 1


def test_more_than_may_wait(service: Running, camio: Camio) -> None:
    camio.gate.clear()
    service.client.post("/tasks/another", json=camio.event(*[photo()] * 3))
    assert service.client.get("/tasks/another").json() == ["7/boat"]
    answer = service.client.post("/tasks/another", json=camio.event(photo(), photo()))
    assert answer.status_code == 429 and answer.headers["retry-after"] == "1"
    assert answer.json() == {
        "error": "the service is busy: 1 event of the hook pending; try again in a second"
    }
    second = service.client.post("/tasks/another", json=camio.event(photo(), camera="a\nb"))
    assert second.text == "ok"
    assert service.client.get("/tasks/another").json() == ["7/boat", "7/a?b"]
    camio.gate.set()
    assert sorted(len(camio.answer()["labels"]) for _ in range(2)) == [1, 3]
    wait_for(lambda: service.client.get("/tasks/another").json() == [])


def test_a_signal_lets_no_event_down(tmp_path: Path) -> None:
    """One whose answer is under way is told; one whose callback fails is printed and given up."""
    write_bundle(tmp_path / "bundle")
    (tmp_path / "keys.txt").write_text("key\n")
    words = ["--model", "bundle", "--api-key-file", "keys.txt"]
    with camio_site() as camio:
        words += ["--allow-callback", camio.host]
        with running(tmp_path, *words, key="key") as service:
            lost = f"http://{camio.host}/labels/lost"
            service.client.post("/tasks/key", json=camio.event(photo(), callback_url=lost))
            wait_for(lambda: len(camio.called) == 1)
            camio.gate.clear()
            service.client.post("/tasks/key", json=camio.event(photo("blue")))
            wait_for(lambda: "/labels/1" in camio.called)
            service.process.terminate()
            wait_for(lambda: not is_listening(service))
            camio.gate.set()
            _, err = service.process.communicate(timeout=60)
            service.stopped = (service.process.returncode, "", err)
        assert list(camio.answer()["labels"][TIMES[0]]) == ["blue"]
    assert (service.process.returncode, err) == (
        143,
        "hook: the event of '7/boat' is not answered (the callback_url: is answered with 500)\n"
        "osprey serve: stopped\n",
    )


def test_the_hook_is_off_unless_it_is_asked_for(here: Path, osprey: Osprey) -> None:
    async def ask() -> None:
        async with in_this_process(write_bundle(here / "bundle")) as client:
            for answer in (
                await client.get("/tasks/"),
                await client.get("/tasks/key"),
                await client.post("/tasks/key", content=b""),
            ):
                assert (answer.status_code, answer.json()) == (403, {
                    "error": "events are not taken: 'osprey serve --allow-callback HOST' turns "
                    "the hook on"
                })  # fmt: skip

    asyncio.run(ask())
    result = osprey("serve", "--model", "bundle", "--allow-callback", "camio.com")
    assert (result.code, result.err) == (2, "osprey serve: --allow-callback: the hook's address "
                                            "ends in a key: add --api-key-file FILE\n")  # fmt: skip


def test_a_service_is_registered(
    service: Running, camio: Camio, here: Path, osprey: Osprey, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever Camio is told, it can call: the answer comes back."""
    monkeypatch.setattr(command, "HOOKS", f"http://{camio.host}/api/users/me/hooks")
    monkeypatch.setenv("CAMIO_OAUTH_TOKEN", TOKEN)
    (here / "keys.txt").write_text("# ours\nsesame street\n")
    url = f"http://127.0.0.1:{service.port}"
    words = ["camio", "--url", f"{url}/", "--api-key-file", "keys.txt"]
    result = osprey(*words)
    assert (result.code, result.out) == (0, f"hook hook-1: events that match 1==1 come to {url}/\n")
    assert camio.hooks == [
        {
            "callback_url": f"{url}/tasks/sesame%20street",
            "type": "query_match",
            "parsed_query": "1==1",
        }
    ]
    assert camio.post_event(camio.hooks[0]["callback_url"], photo("green")).text == "ok"
    assert list(camio.answer()["labels"][TIMES[0]]) == ["green"]
    assert osprey(*words, "--model", "box", "--query", "camera == 'boat'").code == 0
    assert camio.post_event(camio.hooks[1]["callback_url"], photo("green")).text == "ok"
    assert len(camio.answer()["labels"][TIMES[0]]["green"]["polygon"]) == 4
    assert camio.hooks[1]["parsed_query"] == "camera == 'boat'"


def test_registrations_that_are_refused(
    camio: Camio, here: Path, osprey: Osprey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "HOOKS", f"http://{camio.host}/api/users/me/hooks")
    monkeypatch.delenv("CAMIO_OAUTH_TOKEN", raising=False)
    (here / "keys.txt").write_text("key\n")
    (here / "empty.txt").write_text("\n")
    (here / "wrong.txt").write_text("wrong\n")
    (here / "token.txt").write_text(f"{TOKEN}\n")
    (here / "two.txt").write_text("a\nb\n")
    words = ["camio", "--url", "https://x", "--api-key-file", "keys.txt"]
    settings = "Camio's settings, under Integrations, generate a token"
    for more, message in (
        ([], f"CAMIO_OAUTH_TOKEN is not set: {settings}"),
        (["--token-file", "empty.txt"], f"--token-file: 'empty.txt' is empty: {settings}"),
        (["--token-file", "no"], "--token-file: 'no' cannot be read (No such file or directory)"),
        (["--token-file", "two.txt"], "Camio's token must be one line of plain letters"),
        (["--url", "x"], "--url: 'x' is no address such as https://my.host:8080"),
        (["--api-key-file", "empty.txt"],
         "--api-key-file: 'empty.txt' holds no key: write one a line"),
        (["--token-file", "wrong.txt"],
         'Camio refuses: 401 Unauthorized {"error": "no such token"}'),
        (["--token-file", "token.txt", "--query", "elsewhere"], "Camio refuses: 302 Found {}"),
        (["--token-file", "token.txt", "--query", "again"],
         'Camio refuses: 409 Conflict {"error": "https://x/tasks/*** is there already"}'),
    ):  # fmt: skip
        result = osprey(*words, *more)
        assert (result.code, result.err) == (2, f"osprey camio: {message}\n")
    words[2] = "http://my.example"
    assert osprey(*words, "--token-file", "token.txt").err == (
        "--url: 'http://my.example' is not encrypted: photos and the key can be read on the way\n"
    )
    monkeypatch.setattr(command, "HOOKS", "http://127.0.0.1:9/")
    assert "Camio cannot be reached (" in osprey(*words, "--token-file", "token.txt").err
