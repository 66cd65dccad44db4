"""Parts of Camio's hook: where answers may be sent, polygons, and labels that meet."""

from __future__ import annotations

import asyncio
import gc
import io
import threading
import weakref
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("fastapi", reason="the extra 'serve' is not installed")

from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from serving_help import photo, write_bundle
from two_step_help import join, write_detector
from web_site import Site

from osprey.errors import UserError
from osprey.inference.two_step import open_bundle
from osprey.serving.camio.callbacks import LATER, Callbacks
from osprey.serving.camio.events import Event, labels_of, polygon_of
from osprey.serving.camio.hook import Hook
from osprey.serving.limits import Limits
from osprey.serving.metrics import Metrics
from osprey.serving.models import Answered
from osprey.serving.photos import Photo
from osprey.serving.refusals import Refused


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Site)  # it takes no POST: 501
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port
    server.shutdown()
    server.server_close()


def sent(address: str, *hosts: str, leads_to: str = "8.8.8.8") -> tuple[int, str] | None:
    """The refusal, if there is one."""

    async def resolver(host: str, port: int) -> list[str]:
        return [leads_to]

    async def send() -> tuple[int, str] | None:
        callbacks = Callbacks(hosts, resolver=resolver)
        try:
            await callbacks.send(address, {})
        except Refused as refusal:
            return refusal.status, refusal.reason
        finally:
            await callbacks.close()
        return None

    return asyncio.run(send())


def test_a_name_never_leads_into_the_own_network(port: int) -> None:
    for ip in ("127.0.0.1", "10.0.0.1", "169.254.169.254", "::ffff:127.0.0.1"):
        assert sent(f"http://camio.test:{port}/", f"camio.test:{port}", leads_to=ip) == (
            403, "'camio.test' leads to an address that is not public",
        )  # fmt: skip


def test_an_address_of_the_own_network_is_named_itself(port: int) -> None:
    """Only as it is named, and at its port."""
    answered = (503, "the callback_url: is answered with 501")
    assert sent(f"http://127.0.0.1:{port}/", f"127.0.0.1:{port}") == answered
    for spelling in ("2130706433", "0x7f000001", "127.1", "[::ffff:127.0.0.1]"):
        status, reason = sent(f"http://{spelling}:{port}/", f"127.0.0.1:{port}") or (0, "")
        assert status == 403 and reason.startswith("answers are not sent to"), reason
    for spelling in ("2130706433", "0x7f000001", "127.1", "localhost"):  # these are names
        named = f"{spelling}:{port}"
        assert sent(f"http://{named}/", named, leads_to="127.0.0.1") == (
            403, f"'{spelling}' leads to an address that is not public",
        )  # fmt: skip


def test_nobody_there() -> None:
    assert sent("http://127.0.0.1:9/", "127.0.0.1:9") == (
        503, "the callback_url: no connection (ConnectError)",
    )  # fmt: skip


@given(
    st.integers(1, 5000), st.integers(1, 5000),
    st.tuples(*[st.floats(-100, 6000) for _ in range(2)]),
    st.tuples(*[st.floats(0, 6000) for _ in range(2)]),
)  # fmt: skip
def test_polygons_stand_on_the_bottom(width: int, height: int, at: Any, size: Any) -> None:
    """Within the photo; flipped back they are the box, as far as it lies on the photo."""
    (x, y), (w, h) = at, size
    polygon = polygon_of([x, y, w, h], width, height)
    assert all(0 <= value <= 1 for corner in polygon for value in corner)
    (left, bottom), (right, low), (far, top), (near, high) = polygon
    assert (left, bottom, far, high) == (near, low, right, top)
    assert left <= right and bottom <= top
    back = [left * width, (1 - top) * height, right * width, (1 - bottom) * height]
    inside = [min(max(x, 0), width), min(max(y, 0), height),
              min(max(x + w, 0), width), min(max(y + h, 0), height)]  # fmt: skip
    assert back == pytest.approx(inside, abs=max(width, height) * 1e-6)


def test_a_box_at_the_top_left_is_high_up() -> None:
    assert polygon_of([0, 0, 16, 12], 64, 48) == [[0, 0.75], [0.25, 0.75], [0.25, 1], [0, 1]]


def test_labels_that_meet() -> None:
    """Of boxes of one class, and of photos of one time, the most probable stays."""

    def boxes(*found: tuple[str, float, int]) -> Answered:
        detections = [{"label": a, "score": p, "box": [x, 0, 8, 8]} for a, p, x in found]
        return Answered({"file": "a", "detections": detections}, "a@1", "0")

    photos = [Photo("1", photo()), Photo("1", photo()), Photo("2", photo())]
    found = [boxes(("cod", 0.5, 0), ("cod", 0.9, 32)), boxes(("cod", 0.7, 0), ("eel", 0.6, 0))]
    labels = labels_of(photos, [*found, boxes()])
    assert {name: label["probability"] for name, label in labels["1"].items()} == {
        "cod": 0.9, "eel": 0.6,
    }  # fmt: skip
    assert labels["1"]["cod"]["polygon"][0][0] == 0.5
    assert labels["2"] == {}


def test_what_is_unknown_is_no_label() -> None:
    answer = {"file": "a", "label": "unknown", "score": 0.3, "top": [["cod", 0.3]]}
    photos = [Photo("1", photo())]
    assert labels_of(photos, [Answered(answer, "a@1", "0")]) == {"1": {}}


def test_two_steps_tell_the_species(tmp_path: Path) -> None:
    """Not the detector's word; of a photo named as a whole its label, and nothing unknown."""
    bundle = join(
        write_bundle(tmp_path / "both"), write_detector(tmp_path / "finder"),
        full_image_fallback=True,
    )  # fmt: skip
    predictor = open_bundle(bundle)
    dark = io.BytesIO()
    Image.new("RGB", (40, 30), (0, 0, 25)).save(dark, "PNG")
    photos = [Photo("1", photo("red")), Photo("2", dark.getvalue())]

    def labels() -> dict[str, list[tuple[str, int]]]:
        answers = predictor.answers([predictor.prepare((x.name, x.content)) for x in photos])
        found = [Answered(a.record(predictor.classes), "a@1", "0") for a in answers]
        return {
            at: [(name, len(label["polygon"])) for name, label in of_photo.items()]
            for at, of_photo in labels_of(photos, found).items()
        }

    assert labels() == {"1": [("red", 4)], "2": [("blue", 0)]}
    predictor.set_unknown_below(1.0)
    assert labels() == {"1": [], "2": []}


def test_photos_are_let_go_once_their_labels_are_known() -> None:
    """However long the callback is tried again."""

    class NeverYet:
        async def send(self, address: str, content: dict[str, Any]) -> None:
            tried.set()
            raise Refused(LATER, "not yet")

        async def close(self) -> None:
            pass

    async def ask(photos: Sequence[Photo]) -> list[Answered | Photo]:
        record = {"label": "cod", "score": 0.9, "top": [["cod", 0.9]]}
        return [Answered({"file": one.name, **record}, "a@1", "0") for one in photos]

    async def work() -> tuple[object, list[str]]:
        hook = Hook(NeverYet(), Limits(), Metrics(), waits=(60.0,))  # type: ignore[arg-type]
        event = Event("7/boat", "http://x", [Photo("1", b"x")])
        held = weakref.ref(event.photos[0])
        hook.take(event, ask, ExitStack())
        del event
        await tried.wait()
        await asyncio.sleep(0)
        gc.collect()
        found = held(), hook.pending
        await hook.close()
        return found

    tried = asyncio.Event()
    assert asyncio.run(work()) == (None, ["7/boat"])


def test_a_name_server_that_answers_nonsense() -> None:
    async def send() -> None:
        async def resolver(host: str, port: int) -> list[str]:
            return ["8.8.8.8\n"]

        callbacks = Callbacks(["camio.test"], allowed=lambda ip: True, resolver=resolver)
        try:
            await callbacks.send("http://camio.test/", {})
        finally:
            await callbacks.close()

    with pytest.raises(Refused, match="the callback_url: is no address that can be asked"):
        asyncio.run(send())


@pytest.mark.parametrize(
    "host", ["https://camio.com", "camio.com/", "camio.com:", "camio.com:0", "*.camio.com", ""]
)
def test_what_is_no_host_is_refused_at_the_start(host: str) -> None:
    """It would allow nothing."""
    with pytest.raises(UserError) as caught:
        Callbacks([host])
    assert str(caught.value) == (
        f"--allow-callback: '{host}' is no host: write HOST or HOST:PORT, such as camio.com"
    )
