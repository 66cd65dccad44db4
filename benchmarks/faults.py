"""Kills at random moments, and a disk that is full at a random byte: what is lost or half made.

    python benchmarks/faults.py [--kills 60] [--full 20] [--seed 0]

Train, predict and crop are killed by SIGINT, SIGTERM and SIGKILL, the process alone or its
group, at a moment drawn from the time an undisturbed start takes. Then the same command (for
training the resume) goes on, and must end where the undisturbed one ended. A full disk is a limit
on the size of files (RLIMIT_FSIZE), drawn from the bytes that a run writes.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import cv2
import numpy as np
import torch

TIMES = {"seconds", "data_wait"}
SMALL = [
    *("augmentation=none", "model.options={width: 4}", "data.size=32", "data.batch_size=8"),
    *("data.num_workers=1", "trainer.max_epochs=3", "trainer.autotune=false"),
]
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGKILL)


def start(words: list[str], cwd: Path, limit: int | None = None) -> subprocess.Popen[str]:
    """A command in a process group of its own."""

    def prepare() -> None:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        if limit is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    return subprocess.Popen(
        [sys.executable, "-m", "osprey", *words],
        cwd=cwd,
        env={**os.environ, "OSPREY_CACHE": str(cwd.parent / "cache"), "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=prepare,
    )


def run(words: list[str], cwd: Path, limit: int | None = None) -> tuple[int, str, float]:
    """Exit code, standard error and seconds of a command left alone."""
    started = time.perf_counter()
    process = start(words, cwd, limit)
    _, err = process.communicate()
    return process.returncode, err, time.perf_counter() - started


def make_photos(folder: Path, count: int) -> Path:
    """Noise of three colours, in class folders."""
    draw = np.random.default_rng(0)
    for label, colour in {"red": 0, "green": 1, "blue": 2}.items():
        (folder / label).mkdir(parents=True)
        for number in range(count):
            pixels = draw.integers(0, 120, (48, 48, 3), dtype=np.uint8)
            pixels[..., 2 - colour] += 100
            cv2.imwrite(str(folder / label / f"{number:03d}.jpg"), pixels)
    return folder


def figures(folder: Path) -> list[dict[str, str]]:
    """The rows of the one run's metrics.csv, without times."""
    (file,) = folder.glob("runs/*/*/metrics.csv")
    with file.open(newline="") as rows:
        return [{k: v for k, v in row.items() if k not in TIMES} for row in csv.DictReader(rows)]


class Task:
    """A command that can be killed and taken up again.

    Args:
        name: For the table.
        words: The command.
        again: The command that goes on, given its folder.
        result: What it leaves, to be compared.
        prepare: Makes a new folder ready.
    """

    def __init__(
        self,
        name: str,
        words: list[str],
        again: Callable[[Path], list[str]],
        result: Callable[[Path], object],
        prepare: Callable[[Path], None] = lambda _: None,
    ) -> None:
        self.name, self.words, self.again = name, words, again
        self.result, self.prepare = result, prepare
        self.seconds = 0.0
        self.expected: object = None

    def undisturbed(self, folder: Path) -> None:
        """Measure it and keep what it leaves."""
        folder.mkdir()
        self.prepare(folder)
        code, err, self.seconds = run(self.words, folder)
        assert code == 0, err
        self.expected = self.result(folder)

    def killed(self, folder: Path, draw: random.Random) -> str:
        """Kill it at a random moment and take it up again; empty, or what went wrong."""
        folder.mkdir()
        self.prepare(folder)
        number, group = draw.choice(SIGNALS), draw.random() < 0.5
        process = start(self.words, folder)
        time.sleep(draw.uniform(0, self.seconds))
        if process.poll() is None:
            (os.killpg if group else os.kill)(process.pid, number)
        _, err = process.communicate()
        where = f"{self.name}, {number.name} to the {'group' if group else 'process'}"
        if "Traceback" in err:
            return f"{where}: traceback: {err.strip().splitlines()[-1]}"
        code, err, _ = run(self.again(folder), folder)
        if code:
            return f"{where}: goes on with exit {code}: {err.strip()}"
        return "" if self.result(folder) == self.expected else f"{where}: another result"


def resumed(words: list[str]) -> Callable[[Path], list[str]]:
    """Resume where there is something to resume, else the command anew."""

    def again(folder: Path) -> list[str]:
        if list(folder.glob("runs/*/*/checkpoints/last.ckpt")):
            return ["train", "resume=latest"]
        shutil.rmtree(folder / "runs", ignore_errors=True)
        return words

    return again


def crops(folder: Path) -> object:
    """Each crop's row, and the bytes of each file."""
    with (folder / "crops" / "manifest.csv").open(newline="") as file:
        rows = sorted(map(tuple, csv.reader(file)))
    files = sorted(p for p in (folder / "crops").rglob("*.jpg"))
    return rows, [(str(p.relative_to(folder)), p.read_bytes()) for p in files]


def half_made(folder: Path) -> list[str]:
    """Files under their final names that cannot be read to their end."""
    readers: dict[str, Callable[[Path], object]] = {
        ".json": lambda p: json.loads(p.read_text(encoding="utf-8")),
        ".ckpt": lambda p: torch.load(p, weights_only=True),
        ".csv": lambda p: list(csv.reader(p.open(newline="", encoding="utf-8"), strict=True)),
        ".html": lambda p: p.read_text(encoding="utf-8").rstrip().endswith("</html>") or 1 / 0,
        ".jpg": lambda p: cv2.imread(str(p)) is not None or 1 / 0,
    }
    found = []
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        try:
            readers.get(path.suffix, lambda _: None)(path)
        except Exception as error:
            found.append(f"{path.relative_to(folder)}: {type(error).__name__}")
    return found


def main() -> None:
    """Print a line a fault, and the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=60)
    parser.add_argument("--full", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    draw = random.Random(arguments.seed)
    with TemporaryDirectory() as name:
        base = Path(name)
        photos = make_photos(base / "photos", 40)
        train = ["train", "data=folder", f"data.root={photos}", *SMALL]
        (base / "models").mkdir()
        assert run(train, base / "models")[0] == 0
        boxes = ["train", "task=detection", "data=harbour_boxes", "model=ssdlite", "name=boxes"]
        boxes += ["data.render_count=200", "data.size=64", "data.single_class=fish"]
        boxes += ["model.backbone=mobilenetv3_small_050", "model.pretrained=false"]
        boxes += ["model.freeze_batchnorm=false", "trainer.limit_train_batches=2"]
        boxes += ["trainer.max_epochs=1", "trainer.autotune=false", "augmentation=none"]
        code, err, _ = run(boxes, base / "models")
        assert code == 0, err
        runs = {p.parent.parent.name: p.parent for p in base.glob("models/runs/*/*/summary.json")}
        classifier, detector = (runs[name] for name in sorted(runs, key=lambda n: n == "boxes"))
        predict = [
            "predict",
            "--folder",
            str(photos),
            "--output",
            "o.csv",
            "--run",
            str(classifier),
        ]
        crop = ["crop", "--input_folder", str(photos), "--output_folder", "crops"]
        crop += ["--run", str(detector), "--min_score", "0", "--one_per_image"]
        tasks = [
            Task("train", train, resumed(train), figures),
            Task("predict", predict, lambda _: predict, lambda f: (f / "o.csv").read_bytes()),
            Task("crop", crop, lambda _: crop, crops),
        ]
        for task in tasks:
            task.undisturbed(base / f"{task.name}-whole")
        faults = 0
        for number in range(arguments.kills):
            task = tasks[number % len(tasks)]
            wrong = task.killed(base / f"kill-{number}", draw)
            shutil.rmtree(base / f"kill-{number}")
            faults += bool(wrong)
            print(wrong or ".", end="\n" if wrong else "", flush=True)
        print(f"\nkills at random moments: {arguments.kills}, not taken up again whole: {faults}")
        sizes = [p.stat().st_size for p in (base / "train-whole").rglob("*") if p.is_file()]
        checkpoint = next((base / "train-whole").rglob("last.ckpt")).stat().st_size
        halves = 0
        for number in range(arguments.full):
            folder = base / f"full-{number}"
            folder.mkdir()
            # Half of them below a checkpoint's size: else mostly the report has no room.
            limit = draw.randrange(1, max(sizes) if number % 2 else checkpoint)
            code, err, _ = run(train, folder, limit)
            found = half_made(folder) + (["traceback"] if "Traceback" in err else [])
            halves += len(found)
            print(f"full at byte {limit}: exit {code}{': ' if found else ''}{', '.join(found)}")
            shutil.rmtree(folder)
        print(f"full disks: {arguments.full}, half-written files and tracebacks: {halves}")


if __name__ == "__main__":
    main()
