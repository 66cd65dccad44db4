"""``experiment=detect`` on sets that differ in kind: several seeds, beside fixed boxes.

    python benchmarks/detect.py [SET ...] [--seeds 3] [-- SETTING ...]

Settings after ``--`` go to every training: an ablation is a choice named otherwise.
Not part of ``make bench``: a seed takes minutes.
"""

from __future__ import annotations

import argparse
import csv
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from common import DATA, REPOSITORY, real_data
from scipy.stats import t as student

EVERY = 4  # of a clip's frames, which are near-copies of their neighbours
SCALES = (0.2, 0.4, 0.6, 1.5, 2.5)  # of the harbour's photos, on canvases of their own size


def blood_cells(folder: Path) -> list[str]:
    return ["data=blood_cells", f"data.root={real_data('blood_cells', 'BCCD')}"]


def harbour(folder: Path) -> list[str]:
    return ["data=harbour_boxes"]


def harbour_fish(folder: Path) -> list[str]:
    return ["data=harbour_boxes", "data.single_class=fish"]


def reef(folder: Path) -> list[str]:
    """Every fourth frame of the clips, all fish one class, no scene in two splits."""
    source, root = real_data("reef_fish_clips"), folder / "reef"
    root.mkdir()
    with (source / "labels.csv").open(newline="") as file:
        scenes = {Path(row["filepath"]).name: row["scene"] for row in csv.DictReader(file)}
    lines: list[tuple[object, ...]] = []
    for clip, frames in json.loads((source / "boxes.json").read_text()).items():
        video = cv2.VideoCapture(str(source / "videos" / clip))
        for number, boxes in enumerate(frames):
            there, frame = video.read()
            if not there or number % EVERY:
                continue
            name = f"{Path(clip).stem}_{number:03d}.jpg"
            cv2.imwrite(str(root / name), frame)
            height, width = frame.shape[:2]
            for _, x, y, w, h in boxes:
                box = (x * width, y * height, w * width, h * height)
                lines.append((name, "fish", *box, scenes[clip]))
            if not boxes:
                lines.append((name, "", "", "", "", "", scenes[clip]))
    return as_table(root, lines, ["data.group=scene"])


def scaled(folder: Path, scale: float) -> list[str]:
    """The harbour's photos larger or smaller on a canvas of the same size."""
    subprocess.run(osprey(*SHORT, "data=harbour_boxes"), cwd=folder, check=True, env=environment())
    source, root = folder / "data" / "harbour", folder / f"scaled{scale}"
    content = json.loads((source / "boxes.json").read_text())
    names = {category["id"]: category["name"] for category in content["categories"]}
    found: dict[int, list[dict[str, Any]]] = {}
    for box in content["annotations"]:
        found.setdefault(box["image_id"], []).append(box)
    root.mkdir()
    lines: list[tuple[object, ...]] = []
    draw = np.random.default_rng(0)
    for photo in content["images"]:
        pixels: Any = cv2.imread(str(source / photo["file_name"]))
        height, width = pixels.shape[:2]
        boxes = found.get(photo["id"], [])
        # The place that stays where it is: a box's middle, so that none leaves a larger picture.
        middle = [(b["bbox"][i] + b["bbox"][i + 2] / 2 for i in range(2)) for b in boxes[:1]]
        x, y = tuple(middle[0]) if boxes else (width / 2, height / 2)
        move = np.array([[scale, 0, x - scale * x], [0, scale, y - scale * y]])
        canvas = cv2.warpAffine(
            pixels, move, (width, height), flags=cv2.INTER_AREA, borderMode=cv2.BORDER_REFLECT_101
        ) if scale > 1 else on_noise(pixels, move, draw)  # fmt: skip
        name = Path(photo["file_name"]).name
        name = f"{Path(photo['file_name']).parent.name}_{name}"
        cv2.imwrite(str(root / name), canvas)
        group = Path(photo["file_name"]).parent.name
        for box in boxes:
            left, top, w, h = box["bbox"]
            corner = (scale * left + move[0, 2], scale * top + move[1, 2])
            line = (name, names[box["category_id"]], *corner, scale * w, scale * h, group)
            lines.append(line)
        if not boxes:
            lines.append((name, "", "", "", "", "", group))
    return as_table(root, lines, ["data.group=scene", "data.single_class=fish"])


def on_noise(pixels: Any, move: Any, draw: np.random.Generator) -> Any:
    """The photo, smaller, on a grey ground with noise: a mirrored border would show more fish."""
    height, width = pixels.shape[:2]
    ground = draw.integers(90, 140, pixels.shape).astype(np.uint8)
    small = cv2.warpAffine(pixels, move, (width, height), flags=cv2.INTER_AREA)
    mask = cv2.warpAffine(np.ones(pixels.shape, np.uint8), move, (width, height))
    return np.where(mask > 0, small, ground)


def as_table(root: Path, lines: list[tuple[object, ...]], more: list[str]) -> list[str]:
    with (root / "boxes.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["path", "label", "x", "y", "w", "h", "scene"])
        writer.writerows(lines)
    return ["data=boxes", f"data.root={root}", f"data.file={root / 'boxes.csv'}", *more]


SETS: dict[str, Callable[[Path], list[str]]] = {
    "blood_cells": blood_cells,
    "harbour": harbour,
    "harbour_fish": harbour_fish,
    "reef": reef,
    **{f"scaled_{s}": lambda folder, s=s: scaled(folder, s) for s in SCALES},  # type: ignore[misc]
}
SHORT = ["trainer.max_epochs=1", "trainer.limit_train_batches=2", "trainer.limit_eval_batches=1"]


def osprey(*words: str, experiment: str = "detect") -> list[str]:
    script = str(REPOSITORY / "scripts" / "train.py")
    return [sys.executable, script, f"experiment={experiment}", *words]


def environment() -> dict[str, str]:
    return {**os.environ, "OSPREY_REAL_DATA": str(DATA)}


def trained(
    folder: Path, words: list[str], experiment: str = "detect"
) -> tuple[float, dict[str, Any] | str]:
    """Minutes, and the run's summary; or the line with which it stopped."""
    before = set(folder.glob("runs/*/*/summary.json"))
    started = time.perf_counter()
    done = subprocess.run(
        osprey(*words, experiment=experiment),
        cwd=folder, env=environment(), capture_output=True, text=True, check=False,
    )  # fmt: skip
    minutes = (time.perf_counter() - started) / 60
    if done.returncode:
        return minutes, (done.stderr.strip().splitlines() or ["?"])[-1]
    (summary,) = set(folder.glob("runs/*/*/summary.json")) - before
    return minutes, json.loads(summary.read_text())


def interval(values: list[float]) -> str:
    """Mean, and of several seeds the half width of the 95% interval by Student's t."""
    if len(values) < 2:
        return f"{values[0]:.3f}"
    half = float(student.ppf(0.975, len(values) - 1)) * statistics.stdev(values)
    return f"{statistics.mean(values):.3f} ± {half / math.sqrt(len(values)):.3f}"


def main(names: list[str], seeds: int, settings: list[str]) -> None:
    print("| set | seeds: AP50/mAP | AP50 | mAP | fixed boxes, AP50 | minutes | stopped |")
    print("|---|---|---|---|---|---|---|")
    for name in names:
        with tempfile.TemporaryDirectory() as place:
            words = [*SETS[name](Path(place)), *settings]
            runs = [trained(Path(place), [*words, f"seed={seed}"]) for seed in range(seeds)]
        sound = [summary["test"] for _, summary in runs if not isinstance(summary, str)]
        for _, stopped in runs:
            if isinstance(stopped, str):
                print(f"  {name}: {stopped}", file=sys.stderr)
        figures = [
            interval([test[key] for test in sound]) if sound else "" for key in ("ap50", "map")
        ]
        if len(sound) == 1 and (ends := sound[0].get("ap50_interval")):
            figures[0] += f" ({ends[0]:.3f} to {ends[1]:.3f})"  # bootstrap over photos or groups
        each = ", ".join(f"{test['ap50']:.3f}/{test['map']:.3f}" for test in sound)
        print(
            f"| {name} | {each} | {figures[0]} | {figures[1]} | "
            f"{sound[0]['blind']['ap50'] if sound else float('nan'):.3f} | "
            f"{statistics.mean(minutes for minutes, _ in runs):.1f} | {len(runs) - len(sound)} |",
            flush=True,
        )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("sets", nargs="*", metavar="SET", help=", ".join(SETS))
    parser.add_argument("--seeds", type=int, default=3)
    index = sys.argv.index("--") if "--" in sys.argv else len(sys.argv)
    arguments = parser.parse_args(sys.argv[1:index])
    main(arguments.sets or list(SETS), arguments.seeds, sys.argv[index + 1 :])
