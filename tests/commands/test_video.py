"""Videos and cameras: boxes drawn, frames counted, late ones left out, damage told."""

from __future__ import annotations

import json
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest
from conftest import only_run, real_data

from osprey.errors import UserError
from osprey.imaging import video
from osprey.imaging.pace import Pace
from osprey.imaging.video import Frame, VideoWriter, open_video

av = pytest.importorskip("av", reason="the extra 'video' is not installed")


@pytest.fixture
def clip(detector: Path, tmp_path: Path) -> Path:
    """Ten frames of 160 x 120 with a name that is no ASCII."""
    photos = sorted((detector / "harbour" / "images").rglob("*.jpg"))[:10]
    path = tmp_path / "clips" / "Bäche 1.mp4"
    path.parent.mkdir()
    writer = VideoWriter(path, Fraction(5))
    for number, photo in enumerate(photos):
        writer.write(cv2.imread(str(photo))[..., ::-1], number)
    writer.close()
    return path


def test_a_video(folder: Path, clip: Path, osprey) -> None:  # type: ignore[no-untyped-def]
    words = ("predict", "--video", clip, "--min-score", "0", "--save-dir")
    result = osprey(*words, "out")
    assert result.code == 0, result.err
    assert result.out.startswith("10 frames: ") and result.out.endswith(" frames/s\n")
    content = json.loads((folder / "out" / "Bäche 1.json").read_text(encoding="utf-8"))
    assert [frame["frame"] for frame in content["frames"]] == list(range(10))
    assert [frame["time"] for frame in content["frames"]] == pytest.approx(
        [n / 5 for n in range(10)], abs=0.01
    )
    assert content["frames"][0]["detections"][0]["label"] == "fish"
    plain, drawn = list(open_video(clip)), list(open_video(folder / "out" / "Bäche 1.mp4"))
    assert len(drawn) == 10 and drawn[3].pixels.shape == (120, 160, 3)
    assert drawn[9].time == pytest.approx(1.8, abs=0.01)
    assert np.abs(drawn[3].pixels.astype(int) - plain[3].pixels).mean() > 10

    before = clip.read_bytes()
    assert osprey(*words, clip.parent).code == 0
    assert clip.read_bytes() == before and (clip.parent / "Bäche 1_boxes.mp4").is_file()


def test_a_stand_in_camera(
    folder: Path,
    clip: Path,
    monkeypatch: pytest.MonkeyPatch,
    osprey,  # type: ignore[no-untyped-def]
) -> None:
    opened = []

    def stand_in(name: str, **more: str) -> object:
        opened.append((name, more))
        return original(str(clip))

    original = av.open
    monkeypatch.setattr(video.sys, "platform", "linux")
    monkeypatch.setattr(av, "open", stand_in)
    result = osprey("predict", "--camera", "1")
    assert result.code == 0, result.err
    assert opened == [("/dev/video1", {"format": "v4l2"})]
    # How many of the ten were skipped is the machine's doing; all are accounted for.
    words = result.out.replace(",", "").split()
    skipped = int(words[2]) if "skipped" in words else 0
    assert int(words[0]) + skipped == 10


def frames(count: int) -> Iterator[Frame]:
    return (Frame(n, n / 10, np.zeros((1, 1, 3), np.uint8)) for n in range(count))


def test_late_frames_are_skipped_and_early_ones_wait() -> None:
    now, waited = [100.0], []

    def sleep(seconds: float) -> None:
        waited.append(seconds)
        now[0] += seconds

    pace = Pace(True, lambda: now[0], sleep)
    kept = []
    for frame in pace.keep(frames(12), 10):
        kept.append(frame.number)
        now[0] += 0.35 if frame.number < 4 else 0.05  # slow at first
    assert kept == [0, 3, 6, 7, 8, 9, 10, 11]
    assert pace.skipped == 4
    assert waited and now[0] == pytest.approx(101.1 + 0.05)

    camera = Pace(False, lambda: 100.0, lambda _: pytest.fail("a camera gives its own pace"))
    assert len(list(camera.keep(frames(5), 10))) == 5 and camera.skipped == 0


def test_broken_files_and_mistakes(folder: Path, clip: Path, osprey) -> None:  # type: ignore[no-untyped-def]
    Path("noise.mp4").write_bytes(bytes(range(256)) * 40)
    Path("empty.avi").touch()
    whole = clip.read_bytes()
    Path("cut.mp4").write_bytes(whole[: len(whole) // 2])
    damaged = "cannot be read as a video (Invalid data found when processing input)"
    cases = {name: f"{name}: {damaged}" for name in ("noise.mp4", "empty.avi", "cut.mp4")} | {
        "no.mp4": "no.mp4: no such file",
        "clips": "--video: 'clips' is a folder; name a file",
    }
    for name, message in cases.items():
        result = osprey("predict", "--video", name, "--save-dir", "out")
        assert (result.code, result.out, result.err) == (2, "", f"osprey predict: {message}\n")
    result = osprey("predict", "--camera", "97")
    assert result.code == 2
    assert result.err.startswith("osprey predict: camera 97: cannot be opened (")
    assert not Path("out").exists()


def test_without_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(video.sys.modules, "av", None)
    with pytest.raises(UserError) as error:
        open_video(Path("a.mp4"))
    assert str(error.value) == "video needs PyAV: pip install 'osprey-vision[video]'"


def test_a_real_file_with_fewer_frames_than_its_header_says(folder: Path, osprey) -> None:  # type: ignore[no-untyped-def]
    raw = real_data("camera_trap_videos", "raw")
    name = "chimpandsee/Gas_D4/Gas_Vid20_0786029_0808836_20130725/EK000018.AVI"
    source = open_video(raw / name)
    assert source.said == 1627
    assert only_run(folder)
    assert sum(1 for _ in source) == 1559
