"""Who may ask, and what is written down."""

from __future__ import annotations

import hashlib
import json
from datetime import datetime
from pathlib import Path

import pytest

pytest.importorskip("fastapi", reason="the extra 'serve' is not installed")

from serving_help import photo, running, write_bundle

NEEDED = "an API key is needed: send it as 'Authorization: Bearer KEY' or 'X-API-Key: KEY'"
WRONG = "the API key is not one of this service's"


def test_keys(tmp_path: Path) -> None:
    write_bundle(tmp_path / "bundle")
    (tmp_path / "keys.txt").write_text("# of the boats\nsesame\n\n  p\u00e4ss word \n")
    words = ["--model", "bundle", "--api-key-file", "keys.txt"]
    with running(tmp_path, *words) as service:
        client = service.client
        for path in ("/healthz", "/readyz"):
            assert client.get(path).status_code == 200
        guarded = [("GET", "/models"), ("GET", "/metrics")]
        guarded += [("POST", path) for path in ("/classify", "/detect", "/classify/batch")]
        for method, path in guarded:
            answer = client.request(method, path)
            assert (answer.status_code, answer.json()) == (401, {"error": NEEDED}), path
            assert answer.headers["www-authenticate"] == "Bearer"
            for key in ("sesam", "sesame2", "# of the boats", "SESAME"):
                answer = client.request(method, path, headers={"x-api-key": key})
                assert (answer.status_code, answer.json()) == (401, {"error": WRONG}), key
            answer = client.request(method, path, headers={"authorization": "Basic sesame"})
            assert answer.json() == {"error": NEEDED}
        large = client.post("/classify", content=b"x" * 30_000_000)
        assert (large.status_code, large.json()) == (401, {"error": NEEDED})
        secret = "p\u00e4ss word".encode()
        for headers in (
            {"x-api-key": "sesame"},
            {"authorization": "Bearer sesame"},
            {"Authorization": "bearer  sesame"},
            {b"x-api-key": secret},
        ):
            answer = client.post("/classify", content=photo(), headers=headers)
            assert answer.status_code == 200, answer.text


def test_the_log(tmp_path: Path) -> None:
    bundle = write_bundle(tmp_path / "registry" / "fish" / "1")
    words = ["--model", "fish", "--log", "answers.jsonl"]
    bad = photo()[:300]
    for _ in range(2):  # a second service goes on where the first ended
        with running(tmp_path, *words) as service:
            service.client.post("/classify", files={"image": ("secret name.jpg", photo())})
            service.client.post("/classify", files={"image": ("secret too.jpg", bad)})
            service.client.post("/classify", content=b"")
            files = [("images", ("x.png", photo(colour, "PNG"))) for colour in ("green", "blue")]
            service.client.post("/classify/batch", files=files)
    text = (tmp_path / "answers.jsonl").read_text()
    lines = [json.loads(line) for line in text.splitlines()]
    assert len(lines) == 8 and "secret" not in text and "x.png" not in text
    assert [line["answer"].get("label") for line in lines[:2]] == ["red", None]
    assert {line["answer"]["label"] for line in lines[2:4]} == {"green", "blue"}
    first, second = lines[:2]
    assert list(first) == ["time", "sha256", "answer", "bundle"]
    assert first["sha256"] == hashlib.sha256(photo()).hexdigest()
    assert datetime.fromisoformat(first["time"]).tzinfo is not None
    assert set(first["answer"]) == {"label", "score", "top"}
    network = hashlib.sha256((bundle / "model.onnx").read_bytes()).hexdigest()
    assert first["bundle"] == {"version": "fish@1", "sha256": network}
    assert second["answer"] == {"failure": "unreadable"}  # reasons begin with the photo's name


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no full disk to write to")
def test_a_full_disk_costs_no_answer(tmp_path: Path) -> None:
    from osprey.serving.answer_log import AnswerLog
    from osprey.serving.metrics import Metrics
    from osprey.serving.models import Answered

    metrics = Metrics()
    log = AnswerLog(tmp_path / "a.jsonl", metrics)
    with Path("/dev/full").open("ab", buffering=0) as full:
        log._stream = full
        for _ in range(2):
            log.add(b"photo", Answered({"file": "a", "label": "red"}, "fish@1", "0"))
    assert b"osprey_unlogged_total 2.0" in metrics.text()
