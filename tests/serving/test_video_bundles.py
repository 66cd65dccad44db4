"""``predict --model``: videos, cameras and streams answered from a bundle, without PyTorch."""

from __future__ import annotations

import io
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import Result, environment
from serving_help import write_bundle
from two_step_help import join, write_detector

from osprey.commands.predicting.frames_out import write
from osprey.errors import Terminated, UnreadableImage
from osprey.imaging import streams
from osprey.imaging.live import live_name, live_names, live_stem, live_stems, open_live
from osprey.imaging.streams import Stream
from osprey.imaging.video import Frame, Video, VideoWriter, open_video

av = pytest.importorskip("av", reason="the extra 'video' is not installed")
KEYBOARD = KeyboardInterrupt()
RED, BLUE = (220, 20, 20), (20, 20, 220)


def write_clip(path: Path, right: tuple[int, int, int] = BLUE, count: int = 10) -> Path:
    """Frames of 64 x 48: red on the left, another colour on the right."""
    writer = VideoWriter(path, Fraction(5))
    pixels = np.zeros((48, 64, 3), np.uint8)
    pixels[:, :32], pixels[:, 32:] = RED, right
    for number in range(count):
        writer.write(pixels, number)
    writer.close()
    return path


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with three bundles and a clip."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OSPREY_CACHE", str(tmp_path / "cache"))
    write_detector(tmp_path / "finder")
    write_bundle(tmp_path / "colours")
    join(write_bundle(tmp_path / "both"), tmp_path / "finder")
    write_clip(tmp_path / "Bäche 1.mp4")
    return tmp_path


def lines_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize(
    ("bundle", "keys", "names"),
    [
        ("finder", ["detections"], ["fish", "fish"]),
        ("colours", ["label", "score", "top"], ["red"]),
        ("both", ["label", "score", "detections"], ["red", "blue"]),
    ],
)
def test_a_video(
    bundle: str, keys: list[str], names: list[str], work: Path, osprey: Callable[..., Result]
) -> None:
    right = RED if bundle == "colours" else BLUE
    clip = write_clip(work / "Bäche 1.mp4", right)
    words = ("predict", "--video", clip, "--model", bundle, "--save-dir", "out")
    result = osprey(*words, "--output", "a.jsonl")
    assert result.code == 0, result.err
    assert re.fullmatch(r"10 frames: [\d.]+ frames/s\n", result.out)
    found = lines_of(work / "a.jsonl")
    assert [line["frame"] for line in found] == list(range(10))
    assert [line["time"] for line in found] == pytest.approx([n / 5 for n in range(10)], abs=0.01)
    for line in found:
        assert list(line) == ["frame", "time", *keys]
        boxes = line.get("detections", [line])
        species = [box.get("classifications", [[box["label"]]])[0][0] for box in boxes]
        assert species == names
    plain, drawn = list(open_video(clip)), list(open_video(work / "out" / "Bäche 1.mp4"))
    assert len(drawn) == 10 and drawn[3].pixels.shape == (48, 64, 3)
    assert np.abs(drawn[3].pixels.astype(int) - plain[3].pixels).mean() > 5
    assert osprey(*words, "--output", "-").out.count("\n") == 10


def test_in_real_time_every_frame_is_accounted_for(
    work: Path, osprey: Callable[..., Result]
) -> None:
    clip = write_clip(work / "short.mp4", count=3)
    result = osprey("predict", "--video", clip, "--model", "both", "--realtime")
    assert result.code == 0, result.err
    words = result.out.replace(",", "").split()
    assert int(words[0]) + (int(words[2]) if "skipped" in words else 0) == 3


def test_a_photo_and_a_folder(work: Path, osprey: Callable[..., Result]) -> None:
    from PIL import Image

    (work / "inbox").mkdir()
    Image.new("RGB", (40, 30), RED).save("inbox/a.png")
    (work / "inbox" / "b.png").write_bytes(b"\x89PNG")
    said = osprey("predict", "--image", "inbox/a.png", "--model", "colours")
    assert (said.code, said.out, said.err) == (0, "['red']\n", "model: colours (colours, means)\n")
    both = osprey("predict", "--image", "inbox/a.png", "--model", "both")
    assert json.loads(both.out)["detections"][1]["classifications"][0][0] == "red"
    table = osprey("predict", "--folder", "inbox", "--model", "both", "--output", "o.jsonl")
    assert table.code == 0, table.err
    assert [line.get("label") for line in lines_of(work / "o.jsonl")] == ["red", None]
    piped = osprey("predict", "--folder", "inbox", "--model", "both", "--output", "-",
                   "--format", "jsonl")  # fmt: skip
    assert [json.loads(line).get("label") for line in piped.out.splitlines()] == ["red", None]
    strict = ("predict", "--folder", "inbox", "--model", "both", "--output", "o.csv", "--strict")
    assert osprey(*strict).code == 1


# ---------------------------------------------------------------- cameras


class Sender(threading.Thread):
    """A camera's stand-in: sends the same stream to every caller, and hangs up."""

    def __init__(self, content: bytes) -> None:
        super().__init__(daemon=True)
        self.content = content
        self.server = socket.create_server(("127.0.0.1", 0))
        self.address = f"tcp://127.0.0.1:{self.server.getsockname()[1]}"
        self.start()

    def run(self) -> None:
        while True:
            try:
                connection, _ = self.server.accept()
            except OSError:
                return
            with connection:
                connection.sendall(self.content)


@pytest.fixture
def sender(work: Path) -> Iterator[Sender]:
    with av.open("stream.ts", "w", format="mpegts") as container:
        stream = container.add_stream("mpeg2video", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for _ in range(10):
            pixels = np.full((48, 64, 3), RED, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(stream.encode(None))
    sender = Sender(Path("stream.ts").read_bytes())
    yield sender
    sender.server.close()


def ends_after(monkeypatch: pytest.MonkeyPatch, times: int, stop: BaseException = KEYBOARD) -> None:
    """Ctrl-C where a stream would be opened once more; between, no time is lost."""
    left = [times]

    def open_or_leave(source: int | str, name: str) -> Video:
        left[0] -= 1
        if left[0] < 0:
            raise stop
        return open_live(source, name)

    monkeypatch.setattr("osprey.commands.predicting.moving.open_live", open_or_leave)
    monkeypatch.setattr(streams, "_FIRST", 0.01)


def test_a_stream_that_ends_is_opened_again(
    work: Path, sender: Sender, monkeypatch: pytest.MonkeyPatch, osprey: Callable[..., Result]
) -> None:
    ends_after(monkeypatch, 3)
    Path("cameras.txt").write_text(f"# on the boat\n\n{sender.address}\n")
    words = ("predict", "--camera", "@cameras.txt", "--model", "both")
    result = osprey(*words, "--output", "a.jsonl", "--save-dir", "out")
    assert result.code == 0, result.err
    assert result.err.count(f"{sender.address}: has ended; opened again in 0.01 s\n") == 3
    assert result.err.count(f"{sender.address}: is there again\n") == 2
    found = lines_of(work / "a.jsonl")
    assert {line["camera"] for line in found} == {sender.address}
    numbers = [line["frame"] for line in found]
    assert numbers == sorted(set(numbers)) and numbers[-1] == 29, "counted on over each end"
    words = result.out.replace(",", "").split()
    skipped = int(words[2]) if "skipped" in words else 0
    assert int(words[0]) == len(found) and len(found) + skipped == 30
    assert all(line["label"] == "red" for line in found)
    stem = live_stem(sender.address)
    assert len(list(open_video(work / "out" / f"{stem}.mp4"))) == len(found)


def test_several_cameras_at_once(
    work: Path, monkeypatch: pytest.MonkeyPatch, osprey: Callable[..., Result]
) -> None:
    clips = {0: write_clip(work / "0.mp4", RED), 7: write_clip(work / "7.mp4", BLUE)}
    asked: list[int] = []

    def stand_in(source: int, name: str) -> Video:
        asked.append(source)
        if asked.count(source) > 1:
            raise KeyboardInterrupt
        return Video(name, av.open(str(clips[source])))

    meeting = threading.Barrier(2)

    def met(_: float) -> bool:  # neither is opened again before both have ended
        meeting.wait(60)
        return False

    place = "osprey.commands.predicting.moving."
    monkeypatch.setattr(f"{place}open_live", stand_in)
    monkeypatch.setattr(f"{place}Stream", lambda opens, _, say: Stream(opens, met, say))

    result = osprey("predict", "--camera", "0", "7", "--model", "both", "--output", "-")
    assert result.code == 0, result.err
    found = [json.loads(line) for line in result.out.splitlines()]
    last = {line["camera"]: line for line in found}
    assert set(last) == {"camera 0", "camera 7"}
    assert all(line["frame"] == 9 for line in last.values()), "the newest is never left out"
    species = {
        name: [box["classifications"][0][0] for box in line["detections"]]
        for name, line in last.items()
    }
    assert species == {"camera 0": ["red", "red"], "camera 7": ["red", "blue"]}


class Dark(Video):
    """A camera that can be opened and gives no frame."""

    def __iter__(self) -> Iterator[Frame]:
        return iter(())


def test_a_camera_without_a_frame_costs_the_others_nothing(
    work: Path, monkeypatch: pytest.MonkeyPatch, osprey: Callable[..., Result]
) -> None:
    """Their channels have one name but for a number; and a signal is told by the exit code."""
    asked: list[str] = []
    meeting = threading.Barrier(2)

    def stand_in(source: str, name: str) -> Video:
        asked.append(name)
        if asked.count(name) > 1:
            raise Terminated(signal.SIGTERM)
        kind = Dark if source.endswith("2") else Video
        return kind(name, av.open("Bäche 1.mp4"))

    def met(_: float) -> bool:
        meeting.wait(60)
        return False

    place = "osprey.commands.predicting.moving."
    monkeypatch.setattr(f"{place}open_live", stand_in)
    monkeypatch.setattr(f"{place}Stream", lambda opens, _, say: Stream(opens, met, say))
    addresses = [f"rtsp://me:secret@nvr/real?channel={n}" for n in (1, 2)]
    words = ("predict", "--camera", *addresses, "--model", "both", "--save-dir", "out")
    result = osprey(*words, "--output", "a.jsonl")
    assert result.code == 128 + signal.SIGTERM, result.err
    assert result.err.endswith("osprey predict: stopped\n") and "secret" not in result.err
    assert asked[:2] == ["rtsp://nvr/real", "rtsp://nvr/real #2"]
    found = lines_of(work / "a.jsonl")
    assert found[-1]["frame"] == 9 and found[-1]["camera"] == "rtsp://nvr/real"
    assert [path.name for path in (work / "out").iterdir()] == ["nvr_real.mp4"]
    assert len(list(open_video(work / "out" / "nvr_real.mp4"))) == len(found)


def test_into_a_pipe(work: Path, osprey: Callable[..., Result]) -> None:
    os.mkfifo("pipe")
    read: list[str] = []
    reader = threading.Thread(target=lambda: read.extend(Path("pipe").read_text().splitlines()))
    reader.start()
    result = osprey("predict", "--video", "Bäche 1.mp4", "--model", "colours", "--output", "pipe")
    assert result.code == 0, result.err
    reader.join(60)
    assert [json.loads(line)["frame"] for line in read] == list(range(10))
    assert result.out.startswith("10 frames: ")


def test_a_line_of_a_camera_waits_for_no_other() -> None:
    content = io.BytesIO()
    lines = io.TextIOWrapper(content, encoding="utf-8")
    write(lines, Frame(3, 0.5, np.zeros((2, 2, 3), np.uint8)), {"label": "a"}, camera="camera 0")
    assert json.loads(content.getvalue()) == {
        "camera": "camera 0", "frame": 3, "time": 0.5, "label": "a",
    }  # fmt: skip


def test_pauses_double_until_there_is_a_frame() -> None:
    class Source:
        name, rate = "camera 1", Fraction(5)

        def __init__(self, count: int) -> None:
            self.count, self.closed = count, False

        def __iter__(self) -> Iterator[Frame]:
            return (Frame(n, n / 5, np.zeros((2, 2, 3), np.uint8)) for n in range(self.count))

        def close(self) -> None:
            self.closed = True

    plan: list[int | None] = [2, None, None, 1, 0, None]  # frames; None: it cannot be opened
    pauses: list[float] = []
    said: list[str] = []
    made: list[Source] = []

    def opens() -> Any:
        count = plan.pop(0)
        if count is None:
            raise UnreadableImage("camera 1: cannot be opened")
        made.append(Source(count))
        return made[-1]

    def stopped(seconds: float) -> bool:
        pauses.append(seconds)
        return not plan

    stream = Stream(opens, stopped, said.append, clock=iter(range(100)).__next__)
    found = list(stream)
    assert [frame.number for frame in found] == [0, 1, 2]
    assert [frame.time for frame in found] == [1, 2, 3], "seconds since it was opened"
    assert pauses == [1, 2, 4, 1, 2, 4]
    assert stream.restarts == 1 and all(source.closed for source in made)
    assert said == [
        "camera 1: has ended; opened again in 1 s",
        "camera 1: is there again",
        "camera 1: has ended; opened again in 1 s",
        "camera 1: has ended; opened again in 2 s",
    ]
    plan.append(None)
    with pytest.raises(UnreadableImage):
        Stream(opens, stopped, said.append)


def test_names_without_passwords() -> None:
    assert live_name("rtsp://me:secret@cam.example/live/1?token=x") == "rtsp://cam.example/live/1"
    assert live_name("rtsp://me:p@ss@cam:554") == "rtsp://cam:554"
    assert live_stem("rtsp://me:secret@cam.example:554/live/1") == "cam.example_554_live_1"
    assert live_name("rtsp://nvr?user=admin&password=secret") == "rtsp://nvr"
    assert live_name("rtsp://u:pa/ss@nvr/live#x") == "rtsp://nvr/live"
    for odd in ("rtsp://u:p#w@nvr/live", "rtsp://u:p@ss?w@nvr/live", "rtsp://u:p/a?s@nvr"):
        assert live_name(odd) == "rtsp://..."
    path = "user=admin_password=secret_channel=1_stream=0.sdp"
    assert live_name(f"rtsp://nvr/{path}/x") == "rtsp://nvr/.../x"
    assert (live_name(3), live_stem(3)) == ("camera 3", "camera3")


def test_names_that_meet_are_numbered() -> None:
    several = [1, "rtsp://nvr/a?channel=1", "rtsp://nvr/a?channel=2", "rtsp://NVR/a", "tcp://nvr/a"]
    assert live_names(several) == [
        "camera 1", "rtsp://nvr/a", "rtsp://nvr/a #2", "rtsp://NVR/a #3", "tcp://nvr/a",
    ]  # fmt: skip
    assert live_stems(several) == ["camera1", "nvr_a", "nvr_a-2", "NVR_a-3", "nvr_a-4"]


def test_mistakes(work: Path, osprey: Callable[..., Result]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        closed = f"tcp://127.0.0.1:{server.getsockname()[1]}"
    Path("mine.jsonl").write_text("# mine")
    Path("wrong.txt").write_text("0\nme:secret@boat\n")
    clip = "Bäche 1.mp4"
    cases: dict[tuple[str, ...], str] = {
        ("--camera", "rtsp", "--model", "both"): (
            "argument --camera: 'rtsp' is neither a camera's number nor an address such as "
            "rtsp://camera/live; 'osprey predict --help' tells what there is"
        ),
        ("--camera", "file:///etc/passwd", "--model", "both"): (
            "argument --camera: 'file:///etc/passwd' is neither a camera's number nor an address "
            "such as rtsp://camera/live; 'osprey predict --help' tells what there is"
        ),
        ("--camera", "1", "1", "--model", "both"): "--camera: one is named twice",
        ("--camera", "@none.txt", "--model", "both"): (
            "argument --camera: 'none.txt' cannot be read (No such file or directory); "
            "'osprey predict --help' tells what there is"
        ),
        ("--camera", "@wrong.txt", "--model", "both"): (
            "argument --camera: line 2 of 'wrong.txt' is neither a camera's number nor an "
            "address; 'osprey predict --help' tells what there is"
        ),
        ("--camera", "@mine.jsonl", "--model", "both"): (
            "argument --camera: 'mine.jsonl' names no camera: write one a line; "
            "'osprey predict --help' tells what there is"
        ),
        ("--video", clip, "--model", "both", "--output", "a.csv"): (
            "--output: 'a.csv' does not end in .jsonl, a line a frame"
        ),
        ("--video", clip, "--model", "both", "--output", "mine.jsonl"): (
            "--output: 'mine.jsonl' is there already, and Osprey does not know it as its own: name "
            "another, or add --force to replace it"
        ),
        ("--video", clip, "--model", "both", "--min-score", "0.5"): (
            "--min-score is not for a bundle: leave --model out"
        ),
        ("--video", clip, "--model", "both", "--min-score", "0"): (
            "--min-score is not for a bundle: leave --model out"
        ),
        ("--video", clip, "--model", "both", "--tta", "flip"): (
            "--tta is not for a bundle: leave --model out"
        ),
        ("--image", clip, "--model", "both", "--output", "a.jsonl"): (
            "--output goes with --folder, --video or --camera"
        ),
        ("--video", "no.mp4", "--model", "both"): "no.mp4: no such file",
        ("--camera", closed, "--model", "both"): f"{closed}: cannot be opened (Connection refused)",
    }
    for words, message in cases.items():
        result = osprey("predict", *words)
        assert (result.code, result.out, result.err) == (2, "", f"osprey predict: {message}\n")
    assert not Path("a.jsonl").exists() and Path("mine.jsonl").read_text() == "# mine"


def test_no_torch(work: Path) -> None:
    code = (
        "import sys; from osprey.commands import main; code = main(['predict', *sys.argv[1:]]); "
        "heavy = {'torch', 'torchvision', 'pytorch_lightning'} & set(sys.modules); "
        "assert not heavy, heavy; sys.exit(code)"
    )
    words = ["--video", "Bäche 1.mp4", "--model", "both", "--output", "a.jsonl"]
    done = subprocess.run(
        [sys.executable, "-c", code, *words], env=environment(), capture_output=True, text=True
    )
    assert done.returncode == 0 and done.stdout.startswith("10 frames: "), done.stderr
