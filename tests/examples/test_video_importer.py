"""``examples/video_importer``: called as the importer does, against a service that runs."""

from __future__ import annotations

import importlib.util
import json
import logging
import sys
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("fastapi", reason="the extra 'serve' is not installed")
pytest.importorskip("av", reason="the extra 'video' is not installed")

from conftest import REPOSITORY

sys.path.append(str(REPOSITORY / "tests" / "serving"))

from serving_help import COLOURS, Running, running, write_bundle

from osprey.imaging.video import VideoWriter

MODULE = REPOSITORY / "examples" / "video_importer" / "osprey_hooks.py"
START = "2026-10-09T06:12:37.500"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("importer")
    write_bundle(folder / "registry" / "colour" / "1")
    write_bundle(folder / "registry" / "box" / "1", reader="box_reader.WholePhoto")
    reader = REPOSITORY / "tests" / "serving" / "box_reader.py"
    (folder / "box_reader.py").write_text(reader.read_text())
    (folder / "keys.txt").write_text("sesame\n")
    words = ["--model", "colour", "--model", "box", "--api-key-file", "keys.txt"]
    with running(folder, *words, "--plugin", "box_reader") as found:
        yield found


@pytest.fixture
def hooks(here: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The module, loaded from its file as the importer loads it."""
    spec = importlib.util.spec_from_file_location("hooks_module", MODULE)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "hooks_module", module)
    spec.loader.exec_module(module)
    monkeypatch.setenv("OSPREY_API_KEY", "sesame")
    monkeypatch.setattr(module.time, "sleep", lambda seconds: None)
    yield module


def video(path: Path, *colours: str) -> Path:
    """Half a second of each colour at 8 frames per second."""
    writer = VideoWriter(path, Fraction(8))
    for number in range(4 * len(colours)):
        colour = np.array(COLOURS[colours[number // 4]], np.uint8)
        writer.write(np.broadcast_to(colour, (48, 64, 3)), number)
    writer.close()
    return path


def imported(
    hooks: Any, service: Running, videos: list[tuple[str, Path]], **data: Any
) -> list[bool]:
    """What the importer does with a folder: its calls, in its order and with its arguments."""
    host, port = "127.0.0.1", str(service.port)
    hooks.set_hook_data({"logger": logging.getLogger(), **json.loads(json.dumps(data))})
    cameras = {name: hooks.register_camera(name, host, port) for name, _ in videos}
    hooks.set_hook_data({"registered_cameras": list(cameras.values())})
    return [
        hooks.post_video_content(
            host, port, name, cameras[name].get("camera_id"), str(path), START, (None, None)
        )
        for name, path in videos
    ]


def test_videos_become_bookmarks(hooks: Any, service: Running, here: Path) -> None:
    """One wherever the labels change; a second job with its name goes on."""
    first = video(here / "a.mp4", "red", "red", "blue", "red")
    words = {"output": "out", "job_id": "trip-7", "seconds": 0.25}
    assert imported(hooks, service, [("C1", first)], **words) == [True]
    second = video(here / "b.mp4", "green")
    assert imported(hooks, service, [("C2", second)], **words) == [True]
    found = json.loads((here / "out" / "trip-7.json").read_text())
    times = [f"2026-10-09T06:12:{at}-0000" for at in ("37.500", "37.501", "38.500", "39.000")]
    assert found == {
        "job_id": "trip-7",
        "earliest_date": times[0],
        "latest_date": "2026-10-09T06:12:39.250-0000",
        "labels": {
            times[0]: {"camera": {"name": "C1"}, "labels": ["red"]},
            times[2]: {"camera": {"name": "C1"}, "labels": ["blue"]},
            times[3]: {"camera": {"name": "C1"}, "labels": ["red"]},
            times[1]: {"camera": {"name": "C2"}, "labels": ["green"]},
        },
    }


def test_a_detector(hooks: Any, service: Running, here: Path) -> None:
    path = video(here / "a.mp4", "green")
    assert imported(hooks, service, [("C1", path)], job_id="boxes", model="box") == [True]
    (mark,) = json.loads((here / "bookmarks" / "boxes.json").read_text())["labels"].values()
    assert mark["labels"] == ["green"]


def test_what_fails_leaves_nothing(
    hooks: Any, service: Running, here: Path, caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    good = video(here / "a.mp4", "red")
    (here / "bad.mp4").write_bytes(b"no video")
    (here / "diary.json").write_text('{"dear": "diary"}')
    for videos, data, message in (
        ([("C", here / "bad.mp4")], {}, "bad.mp4: cannot be read as a video"),
        ([("C", here / "none.mp4")], {}, "none.mp4: no such file"),
        ([("C", good)], {"model": "dog"}, "there is no model 'dog'"),
        ([("C", good)], {"model": None, "output": ".", "job_id": "diary"},
         "diary.json is there and holds no bookmarks: name another job_id"),
    ):  # fmt: skip
        caplog.clear()
        assert imported(hooks, service, videos, **data) == [False]
        assert message in caplog.text
    monkeypatch.setenv("OSPREY_API_KEY", "wrong")
    assert imported(hooks, service, [("C", good)], job_id="other") == [False]
    assert "the API key is not one of this service's" in caplog.text
    assert not hooks.post_video_content("http://127.0.0.1", 9, "C", "C", str(good), START)
    assert (here / "diary.json").read_text() == '{"dear": "diary"}'
    assert sorted(path.name for path in here.iterdir() if path.suffix == ".json") == ["diary.json"]


@pytest.mark.parametrize(
    ("data", "message"),
    [({"job_id": "../x"}, "job_id: '../x' is no name for a file"),
     ({"seconds": 0}, "seconds: 0 is not from 0.04 to 3600"),
     ({"min_score": 2}, "min_score: 2 is not from 0 to 1")],
)  # fmt: skip
def test_hook_data_that_makes_no_sense(hooks: Any, data: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message.replace("(", "\\(")):
        hooks.set_hook_data(data)


def test_labels_of_two_steps(hooks: Any) -> None:
    """The species, none that is unknown, and what a photo without boxes is named as a whole."""

    def labels(label: str, score: float, *boxes: dict[str, Any]) -> list[str]:
        found: list[str] = hooks._labels({"label": label, "score": score, "detections": boxes})
        return found

    def box(name: str, score: float, **more: bool) -> dict[str, Any]:
        return {"label": "fish", "score": 0.9, "classifications": [[name, score]], **more}

    boxes = box("YFT", 0.8), box("ALB", 0.9), box("BET", 0.4), box("SHARK", 0.7, unknown=True)
    assert labels("ALB", 0.9, *boxes) == ["ALB", "YFT"]
    assert labels("ALB", 0.9) == ["ALB"] and labels("ALB", 0.2) == []
    assert labels("unknown", 0.9) == [] and labels("nothing", 0.0) == []
