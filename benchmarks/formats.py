"""How long data take to read, and to be recognised: a large COCO file, folder and table.

Each photo is a link to one of a few real files, so that its size is read from it as ever. The
processor's own time stands in the note: on a busy machine it is what can be compared. What is
timed: reading only, to a manifest, in a process of its own; the data are made before.

    python benchmarks/formats.py              # 100,000 photos and 1,000,000 boxes; 1,000,000 photos
    python benchmarks/formats.py 10           # a tenth of all that
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from common import Row, finish, row

PHOTOS, BOXES, CLASSES, FOLDERS = 100_000, 10, 80, 100
LISTED = 1_000_000  # photos of the large folder
SIDE = 64
TURNS = 3
GIGABYTES = 1.5
LOOK = 1.0  # seconds of data=auto, before it reads
SECONDS = {"coco": 15.0, "folder": 20.0, "folder, a tenth": None, "table": 3.0}


def link(folder: Path, count: int) -> list[str]:
    """Photos in a hundred class folders; their names."""
    rng = np.random.default_rng(0)
    for place in range(FOLDERS):
        (folder / f"{place:03d}").mkdir(parents=True)
        pixels = rng.integers(0, 255, (SIDE, SIDE, 3), np.uint8)
        cv2.imwrite(str(folder / f"{place:03d}" / "source.jpg"), pixels)
    names = [f"{number % FOLDERS:03d}/{number:08d}.jpg" for number in range(count)]
    for name in names:
        os.link(folder / name[:3] / "source.jpg", folder / name)
    for place in range(FOLDERS):
        (folder / f"{place:03d}" / "source.jpg").unlink()
    return names


def write_coco(folder: Path, names: list[str]) -> None:
    """``boxes.json`` beside the photos."""
    rng = np.random.default_rng(0)
    images = [
        {"id": n, "file_name": name, "width": SIDE, "height": SIDE}
        for n, name in enumerate(names, start=1)
    ]
    corners = rng.uniform(0, SIDE / 2, (len(names) * BOXES, 4)).round(2).tolist()
    boxes = [
        {"id": n, "image_id": n % len(names) + 1, "category_id": n % CLASSES + 1}
        | {"bbox": box, "area": round(box[2] * box[3], 2), "iscrowd": 0}
        for n, box in enumerate(corners, start=1)
    ]
    categories = [{"id": n, "name": f"class {n}"} for n in range(1, CLASSES + 1)]
    content = {"images": images, "annotations": boxes, "categories": categories}
    (folder / "boxes.json").write_text(json.dumps(content))


def write_table(folder: Path, names: list[str]) -> None:
    r"""``labels.csv`` with names as another machine wrote them: ``C:\photos\012\00000012.jpg``."""
    lines = ("C:\\photos\\{}\\{}".format(*name.split("/")) + f",{name[:3]}" for name in names)
    (folder / "labels.csv").write_text("path,label\n" + "\n".join(lines) + "\n")


def read(reader: str, folder: str, photos: int, boxes: int) -> None:
    """In a process of its own: look at the set, and read it; the figures as JSON.

    They are the seconds of reading, the processor's own, gigabytes, and the seconds of the look.
    """
    from osprey.config.schema import DataConfig
    from osprey.data.auto import look
    from osprey.data.readers import read_manifest

    file = "labels.csv" if reader == "table" else None
    config = DataConfig(name=reader, reader=reader, root=folder, file=file)
    begun = time.perf_counter()
    fitting, _ = look(Path(folder), config)
    looked = time.perf_counter() - begun
    assert reader in [found.reader for found in fitting]
    begun, spent = time.perf_counter(), time.process_time()
    manifest = read_manifest(config, [])
    took = time.perf_counter() - begun, time.process_time() - spent
    assert len(manifest.table) == photos
    assert not boxes or sum(map(len, manifest.box_lists[:1000])) == 1000 * boxes
    most = peak_memory()
    print(json.dumps([*took, most, looked]))


def peak_memory() -> float:
    """Gigabytes that this process has held at most; of the one that started it nothing counts."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) / 1024**2


def timed(what: str, key: str, reader: str, folder: Path, photos: int, boxes: int) -> list[Row]:
    """The rows of one set: seconds, and memory."""
    words = [sys.executable, __file__, "read", reader, str(folder), str(photos), str(boxes)]
    runs = [subprocess.run(words, capture_output=True, text=True) for _ in range(TURNS)]
    failed = next((run for run in runs if run.returncode), None)
    if failed is not None:
        sys.exit(failed.stderr)
    seconds, own, memory, looks = zip(*(json.loads(run.stdout) for run in runs), strict=True)
    note = f"the processor's own time {min(own):.2f} to {max(own):.2f} s"
    made = [row(what, seconds, "s", SECONDS[key], at_most=True, note=note)]
    limit = GIGABYTES if boxes else None
    made.append(row(f"{what}: most memory", memory, "GB", limit, at_most=True))
    return [*made, row(f"{what}: the look of data=auto", looks, "s", LOOK, at_most=True)]


Write = Callable[[Path, list[str]], None]


def measured(
    photos: int, write: Write | None, what: str, key: str, reader: str, boxes: int
) -> list[Row]:
    """The rows of a set made for it, and of nothing else."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "set"
        names = link(folder, photos)
        if write is not None:
            write(folder, names)
        return timed(what, key, reader, folder, photos, boxes)


def main(part: int) -> list[Row]:
    """Measure everything at ``1 / part`` of its size."""
    photos, listed = PHOTOS // part, LISTED // part
    coco = f"COCO, {photos:,} photos and {photos * BOXES:,} boxes, to a manifest"
    folders = "class folders of {:,} photos, to a manifest"
    table = f"a table of {photos:,} photos with paths of another machine, matched to files"
    few, many = folders.format(listed // 10), folders.format(listed)
    return [
        *measured(photos, write_coco, coco, "coco", "coco", BOXES),
        *measured(listed // 10, None, few, "folder, a tenth", "folder", 0),
        *measured(listed, None, many, "folder", "folder", 0),
        *measured(photos, write_table, table, "table", "table", 0),
    ]


if __name__ == "__main__":
    if sys.argv[1:2] == ["read"]:
        read(sys.argv[2], sys.argv[3], int(sys.argv[4]), int(sys.argv[5]))
    else:
        finish(main(int(sys.argv[1]) if len(sys.argv) > 1 else 1))
