"""The set on disk: class counts per boat, rendered to a folder that appears atomically."""

from __future__ import annotations

import json
import shutil
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd

from osprey.data.harbour.boats import FLEET, Boat
from osprey.data.harbour.camera import Box, Move, photograph
from osprey.data.harbour.fish import CLASSES
from osprey.data.harbour.paint import Image
from osprey.data.harbour.scene import Scene, plan_scene
from osprey.errors import UserError

RENDERER_VERSION = 3
SMALLEST = 48

_REAL = {"ALB": 1719, "BET": 200, "DOL": 117, "LAG": 67, "NoF": 465, "OTHER": 299, "SHARK": 176,
         "YFT": 734}  # fmt: skip
_SPLITS = ("train", "val", "test")
_BURSTS = ((1, 2, 3), (0.2, 0.35, 0.45))


@dataclass(frozen=True)
class _Shot:
    """One photo still to be taken: the ``copy``-th of a burst."""

    boat: Boat
    label: str
    burst: int
    copy: int


def _shared(total: int, weights: list[float], least: int = 0) -> list[int]:
    """Split ``total`` into whole parts near ``weights``, each of at least ``least``."""
    free = total - least * len(weights)
    exact = [free * weight / sum(weights) for weight in weights]
    parts = [int(part) for part in exact]
    order = sorted(range(len(parts)), key=lambda i: parts[i] - exact[i])
    for i in order[: free - sum(parts)]:
        parts[i] += 1
    return [part + least for part in parts]


def class_counts(count: int) -> dict[str, int]:
    """Return how many photos of each class a set of ``count`` holds, ``NoF`` included."""
    least = max(4, min(40, count // 24))
    counts = _shared(count, [float(_REAL[label]) for label in CLASSES])
    while min(counts) < least:
        counts[counts.index(max(counts))] -= 1
        counts[counts.index(min(counts))] += 1
    return dict(zip(CLASSES, counts, strict=True))


def _landings(label: str, number: int) -> Iterator[tuple[Boat, int]]:
    """Share a class's photos among the boats so that every split gets some."""
    weights = [
        [boat.share * boat.catch.get(label, 1.0) for boat in FLEET if boat.split == split]
        for split in _SPLITS
    ]
    parts = _shared(number, [sum(w) for w in weights], least=max(1, min(4, number // 6)))
    for split, part, weight in zip(_SPLITS, parts, weights, strict=True):
        boats = [boat for boat in FLEET if boat.split == split]
        yield from zip(boats, _shared(part, weight), strict=True)


def _shots(rng: np.random.Generator, count: int) -> Iterator[_Shot]:
    burst = 0
    for label, number in class_counts(count).items():
        for boat, left in _landings(label, number):
            while left > 0:
                size = min(left, int(rng.choice(_BURSTS[0], p=_BURSTS[1])))
                yield from (_Shot(boat, label, burst, copy) for copy in range(size))
                left, burst = left - size, burst + 1


def _move(rng: np.random.Generator, copy: int) -> Move:
    if not copy:
        return Move()
    dx, dy, east, south = (float(v) for v in rng.normal(0.0, 0.014, 4))
    turn, gain = float(rng.normal(0.0, 3.0)), float(rng.normal(1.0, 0.04))
    return Move(dx + east, dy + south, turn, (east, south), gain, copy)


def _render(root: Path, seed: int, count: int, width: int, height: int) -> None:
    """Render every photo and the two files that describe them into the new folder ``root``."""
    rng = np.random.default_rng(seed)
    shots = list(_shots(rng, count))
    # Names are shuffled, or the order of the files would give the classes away.
    names = rng.permutation(count).tolist()
    for boat in FLEET:
        (root / "images" / boat.name).mkdir(parents=True)
    scene: Scene | None = None
    taken: list[tuple[dict[str, str], list[Box]]] = []
    for shot, name in zip(shots, names, strict=True):
        if scene is None or not shot.copy:
            own = np.random.default_rng([seed, shot.burst])
            scene = plan_scene(own, shot.boat, shot.label, width, height)
        own = np.random.default_rng([seed, shot.burst, shot.copy + 1])
        photo = photograph(scene, width, height, _move(own, shot.copy))
        path = f"images/{shot.boat.name}/img_{name:05d}.jpg"
        quality = int(np.clip(own.normal(shot.boat.quality, 8), 40, 95))
        (root / path).write_bytes(_jpeg(photo.image, quality))
        row = {"path": path, "split": shot.boat.split, "label": shot.label,
               "group": shot.boat.name, **photo.attributes,
               "burst": f"burst{shot.burst:05d}"}  # fmt: skip
        taken.append((row, photo.boxes))
    taken.sort(key=lambda pair: pair[0]["path"])
    rows = [row for row, _ in taken]
    pd.DataFrame(rows).to_csv(root / "manifest.csv", index=False, lineterminator="\n")
    boxes = [_annotation(box, i) for i, (_, found) in enumerate(taken, start=1) for box in found]
    _write_json(root / "boxes.json", _coco(rows, boxes, width, height))


def _jpeg(image: Image, quality: int) -> bytes:
    options = [cv2.IMWRITE_JPEG_QUALITY, quality]
    done, data = cv2.imencode(".jpg", image[..., ::-1], options)
    if not done:
        raise RuntimeError("OpenCV could not encode a photo as JPEG")
    return data.tobytes()


def _annotation(box: Box, image: int) -> dict[str, Any]:
    label, x, y, w, h = box
    return {"image_id": image, "category_id": CLASSES.index(label) + 1, "bbox": [x, y, w, h],
            "area": w * h, "iscrowd": 0}  # fmt: skip


def _coco(
    rows: list[dict[str, str]], boxes: list[dict[str, Any]], width: int, height: int
) -> dict[str, Any]:
    images = [
        {"id": i, "file_name": row["path"], "width": width, "height": height}
        for i, row in enumerate(rows, start=1)
    ]
    categories = [
        {"id": i, "name": label} for i, label in enumerate(CLASSES, start=1) if label != "NoF"
    ]
    numbered = [{"id": i, **box} for i, box in enumerate(boxes, start=1)]
    return {"images": images, "annotations": numbered, "categories": categories}


def _write_json(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8", newline="\n")


def _is_ready(root: Path, wanted: dict[str, Any]) -> bool:
    """Say whether ``root`` holds this very set; refuse it if it holds anything else."""
    if not root.exists() or (root.is_dir() and not any(root.iterdir())):
        return False
    try:
        found = json.loads((root / "meta.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        found = None
    if not isinstance(found, dict) or found.get("set") != "harbour":
        raise UserError(
            f"{root} exists and is not a harbour set; name a folder that does not exist yet"
        )
    other = {k: found.get(k) for k, v in wanted.items() if found.get(k) != v}
    if other:
        held = ", ".join(f"{k}={value} not {wanted[k]}" for k, value in other.items())
        settings = {"count": "data.render_count", "seed": "data.render_seed"}
        asked = " ".join(f"{settings[k]}={value}" for k, value in other.items() if k in settings)
        use = f"use it with {asked}, " if asked and other.keys() <= settings.keys() else ""
        raise UserError(
            f"{root} holds a harbour set with {held}: {use}name another folder with "
            "data.root=FOLDER, or delete it"
        )
    tables = all((root / name).is_file() for name in ("manifest.csv", "boxes.json"))
    photos = sum(1 for _ in root.glob("images/*/*.jpg"))
    if not tables or photos != wanted["count"]:
        raise UserError(
            f"{root} holds a harbour set of which files are missing; delete it to render it again"
        )
    return True


def _arguments(seed: int, count: int, width: int, height: int) -> dict[str, Any]:
    """Check the arguments and return what ``meta.json`` says of a set made with them."""
    given = {"seed": seed, "count": count, "width": width, "height": height}
    least = {"seed": 0, "count": SMALLEST, "width": 32, "height": 32}
    for name, value in given.items():
        if value < least[name]:
            raise UserError(f"harbour: {name} is {value}; give at least {least[name]}")
    return {"set": "harbour", "renderer": RENDERER_VERSION, **given}


def render_harbour(
    root: Path, *, seed: int = 0, count: int = 1600, width: int = 160, height: int = 120
) -> Path:
    """Render the harbour set into ``root``, unless it is already there.

    Writes ``images/<boat>/<name>.jpg``, ``manifest.csv`` (path, split, label, group, length,
    deck, light, burst), ``boxes.json`` (COCO, pixels) and ``meta.json``. The same arguments give
    the same bytes. The folder appears under its name only when it is complete.

    Args:
        root: Folder to make; it may exist if empty or if it holds the set with these arguments.
        seed: Seed of everything drawn, 0 or more.
        count: Photos in all splits together, at least 48.
        width: Pixels, at least 32.
        height: Pixels, at least 32.

    Returns:
        ``root``.

    Raises:
        UserError: ``root`` holds something else, or an argument is out of range.
    """
    root = Path(root)
    wanted = _arguments(seed, count, width, height)
    if _is_ready(root, wanted):
        return root
    root.parent.mkdir(parents=True, exist_ok=True)
    partial = root.parent / f".{root.name}.{uuid.uuid4().hex[:8]}.partial"
    partial.mkdir()
    try:
        _render(partial, seed, count, width, height)
        _write_json(partial / "meta.json", wanted)
        # Somebody else may have rendered the same set meanwhile; then theirs is as good as ours.
        if not _is_ready(root, wanted):
            if root.exists():
                root.rmdir()
            partial.rename(root)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return root
