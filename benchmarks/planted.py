"""How many of 60 planted faults the doctor finds in the clothing photos, and its false alarms.

The photos are copied into a temporary folder, where copies, mirrored, turned, cut and recompressed
photos and bursts are planted across splits, and, with features, labels are swapped.
"""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from common import Row, environment, finish, real_data, row
from PIL import Image

KINDS = ("copy", "mirrored", "turned", "cut", "recompressed", "burst")
EACH = 10
SWAPPED = 60  # labels, with features
SPLITS = ("train", "validation", "test")


@dataclass(frozen=True)
class Fault:
    """A planted fault: what was done, and the two photos it joins, or the one it mislabels."""

    kind: str
    photos: tuple[str, ...]


def changed(photo: Image.Image, kind: str, draw: np.random.Generator) -> Image.Image:
    """A photo as one kind of fault has it."""
    width, height = photo.size
    if kind == "mirrored":
        return photo.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    if kind == "turned":
        return photo.rotate(90 * int(draw.integers(1, 4)), expand=True)
    if kind in ("cut", "burst"):
        share = 0.9 if kind == "cut" else 0.97
        across, down = round(width * share), round(height * share)
        x = int(draw.integers(0, width - across + 1))
        y = int(draw.integers(0, height - down + 1))
        photo = photo.crop((x, y, x + across, y + down))
    if kind == "burst":  # the next moment: a little moved, lighter, and with other noise
        noise = draw.normal(0, 6, (*photo.size[::-1], 3)) + 8
        pixels = np.clip(np.asarray(photo, dtype=np.float32) + noise, 0, 255)
        return Image.fromarray(pixels.astype(np.uint8))
    return photo


def saved(photo: Image.Image, quality: int, time: str = "") -> bytes:
    """A photo as JPEG, with the time that a camera would write."""
    exif, stream = Image.Exif(), io.BytesIO()
    if time:
        exif[0x0110] = "Camera"
        exif.get_ifd(0x8769)[0x9003] = time
    photo.save(stream, "JPEG", quality=quality, exif=exif)
    return stream.getvalue()


def plant(root: Path, draw: np.random.Generator) -> list[Fault]:
    """Plant the faults across splits, each of photos of its own."""
    held = sorted(p for s in SPLITS[1:] for p in (root / s).rglob("*.jpg"))
    chosen = [held[i] for i in draw.permutation(len(held))[: EACH * len(KINDS)]]
    faults = []
    for number, source in enumerate(chosen):
        kind = KINDS[number % len(KINDS)]
        target = root / "train" / source.parent.name / f"planted{number}x.jpg"
        if kind == "copy":
            shutil.copyfile(source, target)
        elif kind == "burst" and number % 2:  # by the camera's clock
            photo = Image.open(source).convert("RGB")
            source.write_bytes(saved(photo, 95, f"2024:05:01 10:{number:02}:00"))
            target.write_bytes(
                saved(changed(photo, kind, draw), 85, f"2024:05:01 10:{number:02}:02")
            )
        elif kind == "burst":  # by the numbers in the names
            renamed = source.with_name(f"IMG_{number * 10:04}.jpg")
            source = source.rename(renamed)
            target = target.with_name(f"IMG_{number * 10 + 1:04}.jpg")
            photo = Image.open(source).convert("RGB")
            target.write_bytes(saved(changed(photo, kind, draw), 85))
        else:
            photo = Image.open(source).convert("RGB")
            quality = 40 if kind == "recompressed" else 88
            target.write_bytes(saved(changed(photo, kind, draw), quality))
        names = (source.relative_to(root).as_posix(), target.relative_to(root).as_posix())
        faults.append(Fault(kind, names))
    return faults


def swap(root: Path, faults: list[Fault], draw: np.random.Generator) -> list[Fault]:
    """Move photos of train that have no other fault into the folder of another class."""
    taken = {name for fault in faults for name in fault.photos}
    classes = sorted(p.name for p in (root / "train").iterdir())
    photos = sorted(p for p in (root / "train").rglob("*.jpg"))
    photos = [p for p in photos if p.relative_to(root).as_posix() not in taken]
    found = []
    for i in draw.permutation(len(photos))[:SWAPPED]:
        others = [name for name in classes if name != photos[i].parent.name]
        wrong = root / "train" / str(draw.choice(others)) / photos[i].name
        photos[i].rename(wrong)
        found.append(Fault("label", (wrong.relative_to(root).as_posix(),)))
    return found


def examine(root: Path, folder: Path, *words: str) -> dict[str, list[list[str]]]:
    """What the doctor finds: sets of photos by check."""
    command = [sys.executable, "-m", "osprey", "doctor", "data=folder", f"data.root={root}"]
    place = environment(OSPREY_CACHE=str(folder / "cache"))
    out = folder / "out"
    done = subprocess.run([*command, f"output={out}", *words], env=place, cwd=folder)
    assert done.returncode in (0, 1), done.returncode
    found = json.loads((out / "doctor.json").read_text())
    return {finding["check"]: finding["photos"] for finding in found["findings"]}


ACROSS = ("exact_copies_across_splits", "near_copies_across_splits", "bursts_across_splits")


def score(faults: list[Fault], found: dict[str, list[list[str]]]) -> list[Row]:
    """Rows of what was found of each kind, and of the sets that hold no planted photo."""
    sets = [set(photos) for check in ACROSS for photos in found.get(check, [])]
    hits = {kind: 0 for kind in KINDS}
    for fault in faults:
        hits[fault.kind] += any(set(fault.photos) <= photos for photos in sets)
    planted = {name for fault in faults for name in fault.photos}
    rows = [row(f"planted across splits, found: {kind}", [n], "of 10") for kind, n in hits.items()]
    total = sum(hits.values())
    rows.append(row("planted across splits, found in all", [total], "of 60", len(faults)))
    strangers = [photos for photos in sets if not photos & planted]
    mixed = sum(len(photos - planted) for photos in sets if photos & planted)
    note = f"{mixed} photos besides joined to planted ones"
    rows.append(row("sets across splits that were not planted", [len(strangers)], "", note=note))
    return rows


def main() -> list[Row]:
    source = real_data("clothing")
    features = "features" in sys.argv[1:]
    draw = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as name:
        folder, root = Path(name), Path(name) / "photos"
        for split in SPLITS:
            shutil.copytree(source / split, root / split)
        faults = plant(root, draw)
        if not features:
            return score(faults, examine(root, folder))
        swapped = swap(root, faults, draw)
        weights = ("model=efficientnet_lite2", "model.pretrained=true")  # of the extra `weights`
        found = examine(root, folder, "features=true", *weights)
        doubtful = [photos[0] for photos in found.get("doubtful_labels", [])]
        wrong = {fault.photos[0] for fault in swapped}
        hits = len(wrong.intersection(doubtful))
        first = len(wrong.intersection(doubtful[:SWAPPED]))
        return [
            *score(faults, found),
            row("swapped labels, found", [hits], f"of {SWAPPED}"),
            row("of them among the first 60 named", [first], f"of {SWAPPED}"),
            row("other labels called doubtful", [len(doubtful) - hits], "photos"),
        ]


if __name__ == "__main__":
    finish(main())
