"""What the service answers: every path, every kind of body, several models."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("fastapi", reason="the extra 'serve' is not installed")

from conftest import REPOSITORY
from serving_help import Running, photo, running, write_bundle

from osprey.commands import main


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Two bundles that name colours, in English and in German, and one that finds boxes."""
    folder = tmp_path_factory.mktemp("service")
    write_bundle(folder / "registry" / "colour" / "1")
    write_bundle(folder / "registry" / "farbe" / "1", ["rot", "gruen", "blau"])
    write_bundle(folder / "registry" / "box" / "1", reader="box_reader.WholePhoto")
    shutil.copy(Path(__file__).with_name("box_reader.py"), folder)
    words = [w for name in ("colour", "farbe", "box") for w in ("--model", name)]
    with running(folder, *words, "--plugin", "box_reader") as found:
        yield found


def base64_of(content: bytes) -> str:
    return base64.b64encode(content).decode()


RED = {"file": "photo", "label": "red", "model": "colour@1"}


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF", "PPM"])
def test_raw_bytes_of_any_common_type(service: Running, form: str) -> None:
    for colour in ("red", "green", "blue"):
        answer = service.client.post("/classify", content=photo(colour, form))
        assert answer.status_code == 200, answer.text
        assert answer.headers["content-type"] == "application/json"
        assert answer.json()["label"] == answer.json()["top"][0][0] == colour


def test_the_answer_is_classify_s(
    service: Running,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photo").write_bytes(photo())
    (tmp_path / "list.txt").write_text("photo\n")
    bundle = write_bundle(tmp_path / "bundle")
    words = ["--list", "list.txt", "--model", str(bundle), "--output", "-", "--format", "jsonl"]
    assert main(["classify", *words]) == 0
    record = json.loads(capfd.readouterr().out)
    answer = service.client.post("/classify", content=photo())
    assert answer.json() == {**record, "model": "colour@1"}


def test_three_kinds_of_body(service: Running) -> None:
    encoded = base64_of(photo())
    for answer in (
        service.client.post("/classify", content=photo()),
        service.client.post("/classify", content=photo(), headers={"content-type": "text/plain"}),
        service.client.post("/classify", json={"image": encoded}),
        service.client.post("/classify", json={"image": f"data:image/jpeg;base64,{encoded}"}),
    ):
        assert answer.status_code == 200, answer.text
        assert {key: answer.json()[key] for key in RED} == RED
    answer = service.client.post("/classify", files={"image": ("my fish.jpg", photo("blue"))})
    assert (answer.json()["file"], answer.json()["label"]) == ("my fish.jpg", "blue")


DOCUMENT = (REPOSITORY / "docs" / "serving.md").read_text()
LINES = [line.strip() for line in DOCUMENT.splitlines() if line.startswith("    ")]


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not here")
@pytest.mark.parametrize("line", [line for line in LINES if line.startswith("curl ")])
def test_the_curl_lines_of_the_documentation(service: Running, tmp_path: Path, line: str) -> None:
    for form, size in (("JPEG", (64, 48)), ("BMP", (1500, 1000))):  # curl asks before the large one
        if "base64" in line and form == "BMP":
            continue  # longer than a command line may be
        (tmp_path / "PHOTO").write_bytes(photo("green", form, size))
        command = line.replace("localhost:8080", f"127.0.0.1:{service.port}")
        command = command.replace("curl ", "curl -sS --noproxy '*' ")
        done = subprocess.run(
            ["bash", "-c", command], cwd=tmp_path, capture_output=True, text=True, check=True
        )
        content = json.loads(done.stdout)
        answers = content.get("answers", [content])
        assert {a["label"] for a in answers} == {"green"}
        assert len(answers) == line.count("@PHOTO") or "base64" in line


def test_the_serve_lines_of_the_documentation() -> None:
    from osprey.commands.serve import _parser

    lines = [line.partition("#")[0].split() for line in LINES if line.startswith("osprey serve")]
    assert len(lines) == 4
    for words in lines:
        assert _parser().parse_args(words[2:])


def test_a_model_is_chosen_in_the_address_or_in_the_body(service: Running) -> None:
    ask = service.client.post
    for answer in (
        ask("/classify?model=farbe", content=photo()),
        ask("/classify", json={"image": base64_of(photo()), "model": "farbe"}),
        ask("/classify", files={"image": photo()}, data={"model": "farbe"}),
        ask("/classify?model=farbe", files={"image": photo()}, data={"model": "farbe"}),
    ):
        assert answer.status_code == 200, answer.text
        assert (answer.json()["label"], answer.json()["model"]) == ("rot", "farbe@1")


def test_boxes(service: Running) -> None:
    answer = service.client.post("/detect", content=photo("green"))
    assert answer.json() == {
        "file": "photo",
        "detections": [{"label": "green", "score": 1, "box": [0, 0, 64, 48]}],
        "model": "box@1",
    }


def test_several_photos(service: Running) -> None:
    files = [("images", (f"{c}.png", photo(c, "PNG"))) for c in ("blue", "red", "green")]
    files.insert(1, ("images", ("bad.png", b"\x89PNG\r\n\x1a\n nothing")))
    answer = service.client.post("/classify/batch", files=files)
    assert answer.status_code == 200
    found = answer.json()["answers"]
    assert [a.get("label") for a in found] == ["blue", None, "red", "green"]
    assert [a["file"] for a in found] == ["blue.png", "bad.png", "red.png", "green.png"]
    assert found[1] == {
        "file": "bad.png",
        "failure": "bad.png: truncated PNG (ends after 16 bytes); copy it again from its source",
    }
    items = [{"image": base64_of(photo("red"))}, {"image": "?"}, {"url": "http://x/"}, 7]
    found = service.client.post("/classify/batch?model=farbe", json=items).json()["answers"]
    assert found[0]["label"] == "rot" and found[0]["file"] == "photo 1"
    assert [a.get("failure") for a in found[1:]] == [
        "photo 2: its image is not base64 (base64 -w0 PHOTO)",
        "photos are not fetched: 'osprey serve --allow-url HOST' allows a host",
        'photo 4: send {"image": "BASE64"} or {"url": "https://..."}',
    ]


def test_what_there_is(service: Running) -> None:
    found = service.client.get("/models").json()["models"]
    assert [(m["name"], m["version"], m["path"]) for m in found] == [
        ("colour", "colour@1", "/classify"),
        ("farbe", "farbe@1", "/classify"),
        ("box", "box@1", "/detect"),
    ]
    assert found[1]["classes"] == ["rot", "gruen", "blau"] and found[0]["ready"] is True
    assert service.client.get("/healthz").json() == {"status": "ok"}
    assert service.client.get("/readyz").json() == {"status": "ready"}


def test_metrics(service: Running) -> None:
    service.client.post("/classify", content=photo())
    service.client.get("/no/such/path")
    answer = service.client.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    lines = answer.text.splitlines()
    values = dict(line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
    assert float(values['osprey_requests_total{path="/classify",status="200"}']) > 0
    assert float(values['osprey_photos_total{model="colour",outcome="answered"}']) > 0
    assert float(values['osprey_requests_total{path="other",status="404"}']) > 0
    assert float(values["osprey_batch_photos_count"]) > 0
    assert float(values["osprey_queue_photos"]) == 0
    assert not any("/no/such" in line for line in lines)  # strangers name no time series


def test_the_document_names_every_path(service: Running) -> None:
    paths = service.client.get("/openapi.json").json()["paths"]
    assert set(paths) == {
        *("/classify", "/detect", "/classify/batch", "/models", "/healthz", "/readyz", "/metrics"),
        *("/tasks/", "/tasks/{api_key}"),
    }
    body = paths["/classify"]["post"]["requestBody"]["content"]
    assert set(body) == {"image/*", "multipart/form-data", "application/json"}
    assert "text/html" in service.client.get("/docs").headers["content-type"]


def test_many_at_once_are_answered_in_batches(service: Running) -> None:
    from concurrent.futures import ThreadPoolExecutor

    colours = ["red", "green", "blue"] * 40

    def ask(colour: str) -> str:
        answer = service.client.post("/classify", content=photo(colour))
        return str(answer.json().get("label", answer.text))

    with ThreadPoolExecutor(16) as pool:
        assert list(pool.map(ask, colours)) == colours  # each its own
