"""Resident memory of training with 1,000,000 listed images beyond that with 1,000, 4 workers.

Each name is a hard link to one of a few real files, so every listed photo can be read. Training is
what ``osprey train`` runs, measured in mid-epoch over the process and its workers: the sum of
their proportional shares, so that memory they share counts once.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np
from common import Row, environment, finish, row

MANY, FEW = 1_000_000, 1_000
CLASSES = 100
WORKERS = 4


def photos(folder: Path, count: int) -> Path:
    """A table of ``count`` photos and the links it names, 10,000 links to a file."""
    table = folder / f"{count}.csv"
    rng = np.random.default_rng(0)
    splits = rng.choice(["train", "val", "test"], count, p=[0.98, 0.01, 0.01])
    with table.open("w") as file:
        file.write("path,label,split,group\n")
        for number in range(count):
            if number % 10_000 == 0:
                source = folder / "photos" / f"{number // 10_000:03d}" / "source.jpg"
                source.parent.mkdir(parents=True, exist_ok=True)
                pixels = rng.integers(0, 255, (40, 40, 3), dtype=np.uint8)
                cv2.imwrite(str(source), pixels)
            name = f"camera_{number // 10_000:03d}_frame_{number:08d}.jpg"
            link = source.with_name(name)
            if not link.exists():
                os.link(source, link)
            path = f"{source.parent.name}/{name}"
            file.write(f"{path},species_{number % CLASSES:03d},{splits[number]},\n")
    return table


def family(process: int) -> list[int]:
    """A process and all that descend from it."""
    found = [process]
    for task in Path(f"/proc/{process}/task").glob("*/children"):
        for child in task.read_text().split():
            found += family(int(child))
    return found


def resident(process: int) -> float:
    """MB over a process and its descendants, shared memory counted once."""
    total = 0
    for one in family(process):
        lines = Path(f"/proc/{one}/smaps_rollup").read_text().splitlines()
        total += next(int(x.split()[1]) for x in lines if x.startswith("Pss:"))
    return total / 1024


def training(folder: Path, table: Path) -> float:
    """MB of ``osprey train`` once its workers have dealt out some batches."""
    words = ["train", "data=table", f"data.file={table}", f"data.root={folder / 'photos'}"]
    words += ["data.size=32", "data.batch_size=32", f"data.num_workers={WORKERS}"]
    words += ["data.check_files=false", "trainer.autotune=false", "trainer.accelerator=cpu"]
    words += ["trainer.deterministic=false", f"paths.cache={folder / 'cache'}"]
    words += [f"paths.runs={folder / 'runs'}", "callbacks.progress=false"]
    starter = "import sys; from osprey.commands import main; sys.exit(main())"
    process = subprocess.Popen(
        [sys.executable, "-c", starter, *words, "trainer.max_epochs=100000"],
        cwd=folder,
        env=environment(),
        stdout=subprocess.DEVNULL,
    )
    highest = 0.0
    try:
        resolved = 0
        while resolved < 8:
            time.sleep(1)
            if process.poll() is not None:
                raise RuntimeError("training ended before it could be measured")
            if len(family(process.pid)) > WORKERS:
                highest, resolved = max(highest, resident(process.pid)), resolved + 1
    finally:
        process.kill()
        process.wait()
    return highest


def main() -> list[Row]:
    """The difference, the highest of eight looks at each."""
    if not Path("/proc/self/smaps_rollup").exists():
        print("skipped: this system does not tell what a process's memory is")
        sys.exit(0)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        few, many = (training(folder, photos(folder, count)) for count in (FEW, MANY))
    note = f"{many:.0f} over {few:.0f} MB in all"
    return [row("memory for a million images", [many - few], "MB", 300.0, at_most=True, note=note)]


if __name__ == "__main__":
    finish(main())
