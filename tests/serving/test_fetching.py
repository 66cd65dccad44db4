"""Photos by their address: from allowed hosts, at public addresses, and no other way."""

from __future__ import annotations

import asyncio
import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("fastapi", reason="the extra 'serve' is not installed")

from serving_help import in_this_process, photo, running, write_bundle
from web_site import Site

from osprey.serving.fetching import Fetcher
from osprey.serving.refusals import Refused


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Site)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port
    server.shutdown()
    server.server_close()


def fetched(address: str, hosts: list[str], **more: Any) -> bytes | tuple[int, str]:
    """The photo, or the refusal."""

    async def fetch() -> bytes | tuple[int, str]:
        fetcher = Fetcher(hosts, 1_000_000, **more)
        try:
            return await fetcher.fetch(address, lambda count: None)
        except Refused as refusal:
            return refusal.status, refusal.reason
        finally:
            await fetcher.close()

    return asyncio.run(fetch())


def here(*answers: str) -> Any:
    """A resolver that gives these addresses, one a question."""
    left = list(answers or ["127.0.0.1"])

    async def resolver(host: str, port: int) -> list[str]:
        return [left.pop(0) if len(left) > 1 else left[0]]

    return resolver


def only_loopback(ip: str) -> bool:
    """What the tests allow in place of public addresses."""
    return ip == "127.0.0.1"


def ask(port: int, path: str, **more: Any) -> bytes | tuple[int, str]:
    options = {"allowed": only_loopback, "resolver": here(), **more}
    return fetched(f"http://photos.test:{port}/{path}", [f"photos.test:{port}"], **options)


def test_a_photo(port: int) -> None:
    assert ask(port, "photo/1") == photo()
    assert Site.seen[-1] == (f"photos.test:{port}", "/photo/1")
    assert fetched(f"http://127.0.0.1:{port}/photo/", [f"127.0.0.1:{port}"],
                   allowed=only_loopback) == photo()  # fmt: skip


PUBLIC = "leads to an address that is not public"


def test_names_of_this_machine_are_refused(port: int) -> None:
    """However they are spelt, and although the operator allows the name."""
    for host in ("127.0.0.1", "localhost", "2130706433", "0x7f000001", "0177.0.0.1", "127.1",
                 "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0"):  # fmt: skip
        name = f"{host}:{port}"
        count = len(Site.seen)
        status, reason = fetched(f"http://{name}/photo/", [name, name.strip("[]"),
                                 f"{host.strip('[]')}:{port}"])  # fmt: skip
        assert status in (400, 403, 422), reason
        assert len(Site.seen) == count, host
    for ip in ("10.0.0.1", "169.254.169.254", "64:ff9b::7f00:1", "::ffff:127.0.0.1"):
        assert fetched("http://photos.test/a", ["photos.test"], resolver=here(ip)) == (
            403, f"'photos.test' {PUBLIC}",
        )  # fmt: skip


def test_one_private_address_among_public_ones_is_enough() -> None:
    async def both(host: str, port: int) -> list[str]:
        return ["8.8.8.8", "10.0.0.1"]

    found = fetched("http://photos.test/a", ["photos.test"], resolver=both)
    assert found == (403, f"'photos.test' {PUBLIC}")


def test_a_name_server_that_changes_its_answer(port: int) -> None:
    """It is asked once, and the connection goes where the checked answer leads."""
    assert ask(port, "photo/", resolver=here("127.0.0.1", "127.0.0.2")) == photo()
    status, reason = ask(port, "photo/", resolver=here("127.0.0.2", "127.0.0.1"))
    assert (status, reason) == (403, f"'photos.test' {PUBLIC}")


def test_hosts_that_are_not_allowed(port: int) -> None:
    for address, shown in (
        ("http://other.test/a", "other.test"),
        ("http://photos.test:81/a", "photos.test:81"),
        ("http://photos.test.other.test/a", "photos.test.other.test"),
        ("http://other.test/photos.test", "other.test"),
        ("http://2130706433/a", "2130706433"),
    ):
        assert fetched(address, ["photos.test"], resolver=here("8.8.8.8")) == (
            403, f"photos are not fetched from '{shown}': --allow-url allows a host",
        )  # fmt: skip


@pytest.mark.parametrize(
    "address",
    ["", "x", "ftp://photos.test/a", "file:///etc/passwd", "http://", "http:///a", "gopher://x",
     "//photos.test/a", "data:image/png;base64,aGk=", "http://[::1", "http://photos.test:x/"],
)  # fmt: skip
def test_what_is_no_address_of_the_web(address: str) -> None:
    assert fetched(address, ["photos.test"]) == (
        400, "the photo's address must begin with http:// or https:// and a host",
    )  # fmt: skip


def test_passwords_and_lengths() -> None:
    assert fetched("http://me:secret@photos.test/a", ["photos.test"]) == (
        400, "the photo's address must not hold a user or password",
    )  # fmt: skip
    assert fetched("http://photos.test/" + "a" * 3000, ["photos.test"]) == (
        400, "the photo's address is longer than 2048 characters",
    )  # fmt: skip


def test_redirects_are_checked_likewise(port: int) -> None:
    assert ask(port, "to//photo/") == photo()
    other = "http://127.0.0.1/latest/meta-data/"
    assert ask(port, f"to/{other}") == (
        403, "photos are not fetched from '127.0.0.1': --allow-url allows a host",
    )  # fmt: skip
    # An allowed name that leads elsewhere the second time.
    again = f"to/http://photos.test:{port}/photo/"
    assert ask(port, again, resolver=here("127.0.0.1", "169.254.169.254")) == (
        403, f"'photos.test' {PUBLIC}",
    )  # fmt: skip
    assert ask(port, "to/file:///etc/passwd")[0] == 400
    circle = f"to/http://photos.test:{port}/to/http://photos.test:{port}/to//to//to//photo"
    assert ask(port, circle) == (
        422, "the photo's address: was redirected more than 3 times",
    )  # fmt: skip


def test_bodies_that_do_not_end(port: int) -> None:
    assert ask(port, "endless/") == (413, "the photo's address: is larger than 1 MB")
    assert ask(port, "drops/", seconds=0.5) == (
        422, "the photo's address: took longer than 0.5 seconds",
    )  # fmt: skip
    assert ask(port, "headers/")[0] == 422
    assert ask(port, "packed/") == (
        422, "the photo's address: comes compressed, which was not asked for",
    )  # fmt: skip
    assert ask(port, "nowhere/") == (422, "the photo's address: is answered with 302")
    assert ask(port, "nothing/") == (422, "the photo's address: is answered with 404")


def test_nobody_there(port: int) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        none = free.getsockname()[1]
    assert ask(none, "photo/") == (
        422, "the photo's address: cannot be fetched (ConnectError)",
    )  # fmt: skip

    async def unknown(host: str, port: int) -> list[str]:
        raise socket.gaierror(-2, "Name or service not known")

    assert ask(port, "photo/", resolver=unknown) == (
        422, "the photo's address: cannot be fetched (gaierror)",
    )  # fmt: skip


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not here")
def test_the_certificate_is_checked_for_the_name(tmp_path: Path) -> None:
    """The connection goes to an IP address, the handshake is about the host."""
    make = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj",
            "/CN=photos.test", "-keyout", "key.pem", "-out", "cert.pem"]  # fmt: skip
    subprocess.run(make, cwd=tmp_path, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")
    names: list[str | None] = []
    context.sni_callback = lambda line, name, context: names.append(name)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Site)
    server.handle_error = lambda request, address: None  # type: ignore[method-assign]
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    name = f"photos.test:{server.server_port}"
    found = fetched(f"https://{name}/photo/", [name], allowed=only_loopback, resolver=here())
    server.shutdown()
    server.server_close()
    assert found == (422, "the photo's address: cannot be fetched (ConnectError)")  # self-signed
    assert names == ["photos.test"]


def test_the_command(tmp_path: Path, port: int) -> None:
    """The list of hosts opens no way into this machine."""
    write_bundle(tmp_path / "bundle")
    words = ["--model", "bundle", "--allow-url", f"127.0.0.1:{port}", "--allow-url", "photos.test"]
    with running(tmp_path, *words) as service:
        count = len(Site.seen)
        answer = service.client.post("/classify", json={"url": f"http://127.0.0.1:{port}/photo/"})
        assert (answer.status_code, answer.json()) == (403, {"error": f"'127.0.0.1' {PUBLIC}"})
        answer = service.client.post("/classify", json={"url": "http://localhost/"})
        assert answer.json() == {
            "error": "photos are not fetched from 'localhost': --allow-url allows a host"
        }
        assert len(Site.seen) == count


def test_a_photo_by_its_address_is_answered(tmp_path: Path, port: int) -> None:
    """One alone, and beside one that is not to be had."""
    bundle = write_bundle(tmp_path / "bundle")
    url = f"http://127.0.0.1:{port}/photo/"

    async def ask() -> tuple[Any, Any]:
        fetcher = Fetcher([f"127.0.0.1:{port}"], 1_000_000, allowed=only_loopback)
        async with in_this_process(bundle, fetcher) as client:
            while (await client.get("/readyz")).status_code != 200:
                await asyncio.sleep(0.01)
            one = await client.post("/classify", json={"url": url})
            items = [{"url": url}, {"url": f"http://127.0.0.1:{port}/nothing/"}]
            many = await client.post("/classify/batch", json=items)
        return one.json(), many.json()["answers"]

    one, many = asyncio.run(ask())
    assert (one["file"], one["label"]) == (url, "red")
    assert many[0]["label"] == "red"
    assert many[1]["failure"] == "the photo's address: is answered with 404"
