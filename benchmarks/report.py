"""report.html of 10,000 test photos, named or searched: the time to build it, and its size."""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np
from common import REPOSITORY, Row, finish, row

from osprey.tasks.reporting import build_report

PHOTOS, GALLERY = 10_000, 48
COLUMNS = {"site": [f"site {i}" for i in range(40)], "light": ["day", "dusk", "night"]}


def add_pictures(run: Path, classes: list[str]) -> None:
    """As many pictures as training draws, as hard to compress as photos are."""
    rng = np.random.default_rng(0)
    (run / "plots").mkdir()
    photos = []
    for number in range(GALLERY):
        names = [f"plots/{number:03d}.jpg", f"plots/{number:03d}_cam.jpg"]
        for name in names:
            coarse = rng.integers(0, 255, (25, 25, 3), dtype=np.uint8)
            cv2.imwrite(str(run / name), cv2.resize(coarse, (200, 200)))
        photo = {"kind": "worst", "row": number, "path": names[0], "label": classes[0]}
        photo |= {"predicted": classes[1], "score": 0.9, "second": classes[0], "margin": 0.8}
        photos.append({**photo, "picture": names[0], "cam": names[1]})
    content = {"split": "test", "photos": photos}
    (run / "plots" / "gallery.json").write_text(json.dumps(content))


def add_box_pictures(run: Path, classes: list[str]) -> None:
    """The same of a detector, whose pictures are larger."""
    rng = np.random.default_rng(0)
    (run / "plots").mkdir()
    photos = []
    for number in range(GALLERY):
        name = f"plots/{number:03d}.jpg"
        coarse = rng.integers(0, 255, (30, 40, 3), dtype=np.uint8)
        cv2.imwrite(str(run / name), cv2.resize(coarse, (320, 240)))
        photo = {"kind": "miss", "row": number, "path": name, "label": classes[0], "class_id": 0}
        photos.append({**photo, "score": 0.0, "why": "nothing found there", "picture": name})
    content = {"split": "val", "photos": photos}
    (run / "plots" / "gallery.json").write_text(json.dumps(content))


def measure(classes: int) -> list[Row]:
    from fake_run import make_run

    names = [f"species {i:03d}" for i in range(classes)]
    with tempfile.TemporaryDirectory() as folder:
        run = make_run(Path(folder) / "run", names, PHOTOS, **COLUMNS)
        add_pictures(run, names)
        return timed(run, f"report.html, {PHOTOS:,} test photos, {classes} classes")


def measure_detection(classes: int) -> list[Row]:
    from fake_box_run import make_box_run

    names = [f"species {i:03d}" for i in range(classes)]
    with tempfile.TemporaryDirectory() as folder:
        # Of validation alone: to make up two splits takes longer than to report one.
        run = make_box_run(
            Path(folder) / "run", names, PHOTOS, test=False, false_alarms=10, **COLUMNS
        )
        add_box_pictures(run, names)
        return timed(run, f"report.html of a detector, {PHOTOS:,} photos, {classes} classes")


def timed(run: Path, what: str) -> list[Row]:
    seconds = []
    for _ in range(3):
        started = time.perf_counter()
        report = build_report(run)
        seconds.append(time.perf_counter() - started)
    return [
        row(f"{what}: to build", seconds, "s", 10, at_most=True),
        row(f"{what}: size", [report.stat().st_size / 1e6], "MB", 15, at_most=True),
    ]


def main() -> list[Row]:
    sys.path.append(str(REPOSITORY / "tests"))
    return [*measure(8), *measure(100), *measure_detection(8)]


if __name__ == "__main__":
    finish(main())
