"""A bundle that is promoted answers without a restart, and no request is lost on the way."""

from __future__ import annotations

import json
import os
import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("fastapi", reason="the extra 'serve' is not installed")

from serving_help import Running, photo, running, write_bundle


def promote(registry: Path, name: str, version: int) -> None:
    """As ``osprey registry promote`` writes it: in one step."""
    file = registry / name / "aliases.json"
    file.with_suffix(".part").write_text(json.dumps({"champion": version}))
    os.replace(file.with_suffix(".part"), file)


def wait_for(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.05)


def version(service: Running) -> str:
    return str(service.client.get("/models").json()["models"][0]["version"])


def test_promotion(tmp_path: Path) -> None:
    registry = tmp_path / "registry"
    write_bundle(registry / "fish" / "1")
    write_bundle(registry / "fish" / "2", ["rot", "gruen", "blau"])
    promote(registry, "fish", 1)
    with running(tmp_path, "--model", "fish@champion") as service:
        found: list[tuple[int, str, str]] = []
        done = threading.Event()

        def ask() -> None:
            while not done.is_set():
                answer = service.client.post("/classify", content=photo())
                content = answer.json()
                found.append((answer.status_code, content.get("label"), content.get("model")))

        asking = [threading.Thread(target=ask) for _ in range(4)]
        for thread in asking:
            thread.start()
        wait_for(lambda: len(found) > 20)
        promote(registry, "fish", 2)
        wait_for(lambda: found[-1][2] == "fish@2")
        count = len(found)
        wait_for(lambda: len(found) > count + 20)
        done.set()
        for thread in asking:
            thread.join()
        assert set(found) == {(200, "red", "fish@1"), (200, "rot", "fish@2")}  # each of one piece
        assert service.client.get("/models").json()["models"][0]["classes"][0] == "rot"
        assert 'osprey_reloads_total{outcome="done"} 1.0' in service.client.get("/metrics").text
        _, out, _ = service.stop()
    assert out == "fish@champion: fish@2 answers now\n"


@pytest.mark.slow
def test_a_version_that_is_damaged_does_not_take_over(tmp_path: Path) -> None:
    registry = tmp_path / "registry"
    write_bundle(registry / "fish" / "1")
    damaged = write_bundle(registry / "fish" / "2")
    whole = (damaged / "model.onnx").read_bytes()
    (damaged / "model.onnx").write_bytes(whole[:-1])
    promote(registry, "fish", 1)
    with running(tmp_path) as service:  # one name alone: its champion

        def failed() -> bool:
            return 'osprey_reloads_total{outcome="failed"}' in service.client.get("/metrics").text

        promote(registry, "fish", 2)
        wait_for(failed)
        assert service.client.post("/classify", content=photo()).json()["model"] == "fish@1"
        (damaged / "model.onnx").write_bytes(whole)  # the copy is complete now
        wait_for(lambda: version(service) == "fish@2")
        shutil.rmtree(registry)  # what is loaded goes on
        for _ in range(3):
            time.sleep(1)
            assert service.client.post("/classify", content=photo()).json()["model"] == "fish@2"
        _, _, err = service.stop()
    first, last = err.splitlines()
    assert first.startswith("fish: the new version is refused, the one before goes on (bundle ")
    assert last == "osprey serve: stopped"


def test_a_version_of_another_kind_does_not_take_over(tmp_path: Path) -> None:
    registry = tmp_path / "registry"
    write_bundle(registry / "fish" / "1")
    write_bundle(registry / "fish" / "2", reader="box_reader.WholePhoto")
    shutil.copy(Path(__file__).with_name("box_reader.py"), tmp_path)
    promote(registry, "fish", 1)
    with running(tmp_path, "--model", "fish", "--plugin", "box_reader") as service:
        promote(registry, "fish", 2)
        wait_for(lambda: 'outcome="failed"' in service.client.get("/metrics").text)
        assert service.client.post("/classify", content=photo()).json()["label"] == "red"
        _, _, err = service.stop()
    assert "goes on (it does not answer at /classify)" in err


def test_a_bundle_written_anew_in_its_place(tmp_path: Path) -> None:
    write_bundle(tmp_path / "bundle")
    with running(tmp_path, "--model", "bundle") as service:
        assert service.client.post("/classify", content=photo()).json()["label"] == "red"
        write_bundle(tmp_path / "new", ["a", "b", "c"])
        os.rename(tmp_path / "bundle", tmp_path / "old")
        os.rename(tmp_path / "new", tmp_path / "bundle")
        wait_for(lambda: service.client.post("/classify", content=photo()).json()["label"] == "a")
