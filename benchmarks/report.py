"""report.html of 10,000 test photos: how long it takes to build, and how large it is."""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np
from common import REPOSITORY, Row, finish, row

from osprey.reports import build_report

PHOTOS, GALLERY = 10_000, 48


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


def measure(classes: int) -> list[Row]:
    sys.path.append(str(REPOSITORY / "tests"))
    from fake_run import make_run

    names = [f"species {i:03d}" for i in range(classes)]
    with tempfile.TemporaryDirectory() as folder:
        columns = {"site": [f"site {i}" for i in range(40)], "light": ["day", "dusk", "night"]}
        run = make_run(Path(folder) / "run", names, PHOTOS, **columns)
        add_pictures(run, names)
        seconds = []
        for _ in range(3):
            started = time.perf_counter()
            report = build_report(run)
            seconds.append(time.perf_counter() - started)
        size = report.stat().st_size / 1e6
    what = f"report.html, {PHOTOS:,} test photos, {classes} classes"
    return [
        row(f"{what}: to build", seconds, "s", 10, at_most=True),
        row(f"{what}: size", [size], "MB", 15, at_most=True),
    ]


def main() -> list[Row]:
    return [*measure(8), *measure(100)]


if __name__ == "__main__":
    finish(main())
