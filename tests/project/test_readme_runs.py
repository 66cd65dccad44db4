"""README's commands, run one after the other in one folder as they stand there, made small.

Those of "Extend" are run in ``tests/extend``; those whose data or weights are not in the
repository are run where they are.
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import cv2
import numpy as np
import pytest
from conftest import REPOSITORY, TINY_BOXES, make_photos, make_squares, real_data, run_process
from documents import README, commands, lines_of, section, words_of
from fake_wandb import Server, serving

LINES = [
    line
    for line in commands(lines_of(README))
    if line not in commands(section(README, "Extend"))
    and words_of(line)[0] != "serve"  # ends by a signal: tests/serving
]
SMALL = [
    *("data.size=32", "data.batch_size=8", "data.num_workers=0", "trainer.max_epochs=1"),
    *("trainer.autotune=false", "callbacks.progress=false", "trainer.limit_train_batches=2"),
]
DETECTOR = [w for w in TINY_BOXES if w.startswith(("model.", "data.size", "trainer.limit_eval"))]
DATA = str(REPOSITORY.parent / "shared" / "data")
REAL = {"experiment=clothing": ("clothing",), "experiment=blood_cells": ("blood_cells", "BCCD")}


def key(word: str) -> str:
    return word.partition("=")[0]


def small(words: list[str], photos: Path) -> list[str]:
    """The command's words and what makes it small, where it may still be said."""
    if words[0] not in ("train", "find") or {"from", "resume", "sweep.resume"} & set(
        map(key, words)
    ):
        return words
    more, said = list(SMALL), set(map(key, words))
    if {"experiment=detect", "experiment=blood_cells"} & set(words):
        more += DETECTOR
    elif "experiment=probe" in words:
        more = ["data.num_workers=0", "data.batch_size=8"]
    elif not {"data", "experiment", "model"} & said:
        more += ["model.options={width: 4}"]
    if any(word.startswith(("data.columns", "data.group", "data.folds")) for word in words):
        table = "other.csv" if "data.columns.path" in said else "labels.csv"
        more += ["data=table", f"data.root={photos}", f"data.file={table}"]
    elif "data" not in said and "experiment" not in said:
        more += ["data.render_count=200"]
    if "experiment" not in said:
        more.append("model.pretrained=false")
    if any(key(word) == "callbacks.averaging" for word in words):
        more.append("trainer.max_epochs=2")
    if "model.runs" in said:
        more = []
    if words[0] == "find":
        more = [word for word in more if not word.startswith(("trainer.limit", "trainer.max"))]
    if "sweep=optuna" in words:
        words, more = [w for w in words if key(w) != "sweep.trials"], [*more, "sweep.trials=2"]
    return words + [word for word in more if key(word) not in said]


class Placeholders:
    """What README's words in capitals stand for, once the commands before have made it."""

    def __init__(self, here: Path) -> None:
        self.here, self.photos, self.boxes = here, make_photos(here / "PHOTOS"), here / "PATH"
        self.boxes.mkdir()
        make_squares(self.boxes)
        make_photos(here / "UNLABELLED", per_class=4, seed=5)
        rows = [f"{p.relative_to(self.photos)},{p.parent.name}" for p in self.photos.rglob("*.png")]
        boats = [f"{row},boat{n % 6}" for n, row in enumerate(sorted(rows))]
        (self.photos / "labels.csv").write_text("\n".join(["path,label,boat", *boats]))
        (self.photos / "other.csv").write_text("\n".join(["filepath,category,boat", *boats]))
        video = cv2.VideoWriter(
            str(here / "clip.avi"), cv2.VideoWriter.fourcc(*"MJPG"), 5, (96, 64)
        )
        for shade in range(3):
            video.write(np.full((64, 96, 3), 80 * shade, np.uint8))
        video.release()

    def runs(self, task: str) -> list[str]:
        files = [
            f for f in self.here.glob("runs/*/*/summary.json") if f.parent.parent.name != "runs"
        ]
        files.sort(key=lambda file: file.stat().st_mtime)
        return [str(f.parent) for f in files if json.loads(f.read_text())["task"] == task]

    def fill(self, words: list[str]) -> list[str]:
        classifiers, detectors = self.runs("classification"), self.runs("detection")
        mine = detectors if "--save-dir" in words else classifiers
        kin = [r for r in classifiers if "harbour" in r]
        found = {
            "PHOTO": str(min(self.photos.rglob("*.png"))),
            "PHOTOS": str(self.photos),
            "PATH": str(self.boxes),
            "FILE": str(self.here / "clip.avi"),
            "OUT": str(self.here / f"out{len(words)}"),
            "RUN": (mine or [""])[-1],
            "UNLABELLED": str(self.here / "UNLABELLED"),
            "RUN1": (detectors or [""])[-1],
            "RUN2": (classifiers or [""])[-1],
            "RUN_A": (kin or [""])[0],
            "RUN_B": (kin or [""])[-1],
        }
        pattern = re.compile(rf"(?<![\w/])({'|'.join(sorted(found, key=len, reverse=True))})(?!\w)")
        return [pattern.sub(lambda match: found[match[1]], word) for word in words]


@pytest.mark.slow
def test_every_command_does_its_work(here: Path) -> None:
    pytest.importorskip("optuna", reason="the extra 'sweep' is not installed")
    with serving() as server:
        left_out = _type_all(Placeholders(here), here, server)
    print("left out, as their data or weights are not here:", left_out)


def _type_all(places: Placeholders, here: Path, server: Server) -> list[str]:
    """Run README's commands one after the other; those whose data is not here are returned."""
    from osprey.system.installed import installed_weights

    left_out: list[str] = []
    for line in LINES:
        words = words_of(line)
        for word in REAL.keys() & set(words):
            try:
                words.append(f"data.root={real_data(*REAL[word])}")
            except pytest.skip.Exception:
                left_out.append(line)
        if line in left_out:
            continue
        probed = {"experiment=probe", "learning-curve"} & set(words)
        if probed and not installed_weights("tf_efficientnet_lite2"):
            left_out.append(line)
            continue
        if "experiment=detect" in words:
            words = ["data=coco" if w == "data=voc" else w for w in words] + [
                "data.file=boxes.json"
            ]
        more = {
            **server.environment,
            "WANDB_MODE": "offline",
            "OSPREY_REAL_DATA": os.environ.get("OSPREY_REAL_DATA", DATA),
        }
        result = run_process(small(places.fill(words), places.photos), here, **more)
        fine = (0, 1) if words[0] == "doctor" else (0,)  # 1: it has found something
        assert result.code in fine, f"{line}\n{result.err}\n{result.out[-2000:]}"
    return left_out
