"""Photos in buckets, on a real S3 server (moto's) and on a stand-in for Google's."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest

pytest.importorskip("fastapi", reason="the extra 'serve' is not installed")

from conftest import Result
from serving_help import Running, photo, running, write_bundle

Osprey = Callable[..., Result]


@pytest.fixture(scope="module")
def s3(monkeypatch_module: pytest.MonkeyPatch) -> Iterator[str]:
    """Two buckets; the environment leads to them."""
    pytest.importorskip("s3fs", reason="the extra 's3' is not installed")
    server = pytest.importorskip("moto.server", reason="moto[server] is not installed")
    import boto3

    running = server.ThreadedMotoServer("127.0.0.1", 0)
    running.start()
    address = "http://{}:{}".format(*running.get_host_and_port())
    for name, value in (
        ("AWS_ENDPOINT_URL", address),
        ("AWS_ACCESS_KEY_ID", "tester"),
        ("AWS_SECRET_ACCESS_KEY", "a-secret"),
        ("AWS_DEFAULT_REGION", "us-east-1"),
        ("AWS_EC2_METADATA_DISABLED", "true"),
    ):
        monkeypatch_module.setenv(name, value)
    client = boto3.client("s3")
    for bucket in ("photos", "private"):
        client.create_bucket(Bucket=bucket)
        client.put_object(Bucket=bucket, Key="a b/red?.jpg", Body=photo("red"))
    client.put_object(Bucket="photos", Key="large.jpg", Body=bytes(1_000_001))
    client.put_object(Bucket="photos", Key="empty.jpg", Body=b"")
    client.put_object(Bucket="photos", Key="cut.jpg", Body=photo()[:200])
    yield address
    running.stop()


@pytest.fixture(scope="module")
def monkeypatch_module() -> Iterator[pytest.MonkeyPatch]:
    with pytest.MonkeyPatch.context() as patch:
        yield patch


@pytest.fixture(scope="module")
def service(s3: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("buckets")
    write_bundle(folder / "bundle")
    words = ["--model", "bundle", "--max-mb", "1", "--allow-bucket", "s3://photos"]
    with running(folder, *words) as found:
        yield found


def answer(service: Running, url: str) -> tuple[int, Any]:
    found = service.client.post("/classify", json={"url": url})
    return found.status_code, found.json().get("label") or found.json()["error"]


def test_a_photo_of_a_bucket(service: Running) -> None:
    assert answer(service, "s3://photos/a b/red?.jpg") == (200, "red")
    items = [{"url": "s3://photos/a b/red?.jpg"}, {"url": "s3://photos/none.jpg"}]
    first, second = service.client.post("/classify/batch", json=items).json()["answers"]
    assert (first["file"], first["label"]) == ("s3://photos/a b/red?.jpg", "red")
    assert second["failure"] == "the photo's address: is not there"


def test_what_is_not_fetched(service: Running) -> None:
    not_one = "the photo's address must be such as s3://bucket/folder/photo.jpg"
    off = "photos are not fetched from '{}': --allow-bucket allows a bucket"
    for url, status, reason in (
        ("s3://private/a b/red?.jpg", 403, off.format("s3://private")),
        ("gs://photos/a.jpg", 403, off.format("gs://photos")),
        ("s3://photos/large.jpg", 413, "the photo's address: is larger than 1 MB"),
        ("s3://photos/a b", 422, "the photo's address: is not there"),  # a folder
        ("s3://photos/../private/a b/red?.jpg", 422, "the photo's address: is not there"),
        ("s3://photos", 400, not_one),
        ("s3://photos/", 400, not_one),
        ("s3://PHOTOS/a", 400, not_one),
        ("s3:///a", 400, not_one),
        ("s3://key:secret@photos/a", 400, not_one),
        ("s3://arn:aws:s3:us-east-1:1:accesspoint/x/a", 400, not_one),
        ("s3://photos/" + "a" * 1025, 400, not_one),
        ("s3a://photos/a.jpg", 403,
         "photos are not fetched: 'osprey serve --allow-url HOST' allows a host"),
    ):  # fmt: skip
        assert answer(service, url) == (status, reason)
    for key in ("empty.jpg", "cut.jpg"):
        assert answer(service, f"s3://photos/{key}")[0] == 422
    assert service.client.get("/healthz").status_code == 200


def test_classify_asks_a_bucket_itself(s3: str, here: Path, osprey: Osprey) -> None:
    write_bundle(here / "bundle")
    words = ("classify", "--model", "bundle", "--image")
    assert osprey(*words, "s3://photos/a b/red?.jpg").out == "['red']\n"
    for url, reason in (
        ("s3://photos/none.jpg", "is not there"),
        ("s3://photos", "is no address such as s3://bucket/folder/photo.jpg"),
    ):
        result = osprey(*words, url)
        assert (result.code, result.err) == (2, f"osprey classify: {url}: {reason}\n")


def test_a_server_that_hangs(s3: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The time is that of the whole fetch, whatever the library tries again."""
    import asyncio
    import socket

    from osprey.serving.buckets import Buckets
    from osprey.serving.refusals import Refused

    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{silent.getsockname()[1]}")

        async def fetch() -> None:
            buckets = Buckets(["s3://photos"], 1_000_000, seconds=0.3)
            await buckets.open()
            try:
                await buckets.fetch("s3://photos/a.jpg", lambda count: None)
            finally:
                await buckets.close()

        with pytest.raises(Refused, match=r"took longer than 0\.3 seconds"):
            asyncio.run(fetch())


@pytest.mark.parametrize(
    ("words", "message"),
    [(["photos"], "--allow-bucket: 'photos' is no bucket such as s3://photos or gs://photos"),
     (["s3://photos/folder"], "--allow-bucket: 's3://photos/folder' is no bucket such as "
                              "s3://photos or gs://photos")],
)  # fmt: skip
def test_what_the_command_refuses(
    words: list[str], message: str, here: Path, osprey: Osprey
) -> None:
    write_bundle(here / "bundle")
    result = osprey("serve", "--model", "bundle", "--allow-bucket", *words)
    assert (result.code, result.err) == (2, f"osprey serve: {message}\n")


def test_what_is_not_installed(here: Path, osprey: Osprey, monkeypatch: pytest.MonkeyPatch) -> None:
    write_bundle(here / "bundle")
    monkeypatch.setattr("osprey.system.buckets._PACKAGES", {"s3": "no_such_s3", "gs": "no_such"})
    result = osprey("serve", "--model", "bundle", "--allow-bucket", "gs://photos")
    assert result.err == (
        "osprey serve: --allow-bucket: gs:// needs no_such: pip install 'osprey-vision[gs]'\n"
    )
    result = osprey("classify", "--model", "bundle", "--image", "s3://photos/a.jpg")
    assert result.err == (
        "osprey classify: --image: s3:// needs no_such_s3: pip install 'osprey-vision[s3]'\n"
    )


def test_what_cannot_be_set_up_is_one_line(
    here: Path, osprey: Osprey, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The libraries' own words may hold a token."""
    pytest.importorskip("s3fs", reason="the extra 's3' is not installed")
    import asyncio

    from osprey.errors import UserError
    from osprey.serving.buckets import Buckets

    write_bundle(here / "bundle")
    monkeypatch.setenv("AWS_PROFILE", "secret")
    wrong = "s3:// cannot be set up (ProfileNotFound): see its credentials in the environment"
    with pytest.raises(UserError) as caught:
        asyncio.run(Buckets(["s3://photos"], 100).open())
    assert str(caught.value) == f"--allow-bucket: {wrong}"

    def refuses(*words: object, **more: object) -> None:
        raise ValueError("token=secret")

    monkeypatch.setattr("fsspec.filesystem", refuses)
    wrong = wrong.replace("ProfileNotFound", "ValueError")
    result = osprey("serve", "--model", "bundle", "--allow-bucket", "s3://photos")
    assert (result.code, result.err) == (2, f"osprey serve: --allow-bucket: {wrong}\n")
    result = osprey("classify", "--model", "bundle", "--image", "s3://photos/a.jpg")
    assert (result.code, result.err) == (2, f"osprey classify: --image: {wrong}\n")


class Google(BaseHTTPRequestHandler):
    """What gcsfs asks of Google's storage about one photo."""

    def do_GET(self) -> None:
        path = unquote(urlsplit(self.path).path)
        if not path.endswith("/b/photos/o/a/red.jpg"):
            self.reply(404, b"{}")
        elif path.startswith("/download/") or "alt=media" in self.path:
            self.reply(200, photo("red"))
        else:
            about = {"name": "a/red.jpg", "bucket": "photos", "size": str(len(photo("red")))}
            self.reply(200, json.dumps(about).encode())

    def reply(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *words: Any) -> None:
        pass


@pytest.mark.slow
def test_google(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("gcsfs", reason="the extra 'gs' is not installed")
    server = ThreadingHTTPServer(("127.0.0.1", 0), Google)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setenv("FSSPEC_GS_TOKEN", "anon")
    # What kind of bucket it is, gcsfs asks by gRPC, which the stand-in does not speak.
    monkeypatch.setenv("GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT", "false")
    write_bundle(tmp_path / "bundle")
    try:
        with running(tmp_path, "--model", "bundle", "--allow-bucket", "gs://photos") as service:
            assert answer(service, "gs://photos/a/red.jpg") == (200, "red")
            assert answer(service, "gs://photos/none.jpg")[0] == 422
    finally:
        server.shutdown()
        server.server_close()
