"""Answers from a bundle: one photo on the command line, many in bulk, int8 beside float32.

    python benchmarks/classify.py

A probe on clothing with MobileNetV2 is trained first, which takes a minute or two.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np
from common import WEIGHTS, Row, compare, environment, finish, real_data, row
from probe import train

from osprey.bundle.measure import compare_formats
from osprey.inference.predictor import Predictor
from osprey.runs.folder import find_run

PHOTOS, BATCH, TURNS = 512, 16, 10


def one_photo(folder: Path, bundle: Path, photo: Path) -> Row:
    """Seconds from the command to the answer, the files in the system's cache."""
    command = [sys.executable, "-m", "osprey", "classify", "--image", str(photo)]
    command += ["--model", str(bundle)]
    seconds = []
    for _ in range(TURNS + 1):
        started = time.perf_counter()
        subprocess.run(command, cwd=folder, env=environment(), check=True, capture_output=True)
        seconds.append(time.perf_counter() - started)
    return row("classify --image, wall time", seconds[1:], "s", 0.25, at_most=True)


def in_bulk(folder: Path, bundle: Path) -> Row:
    """JPEGs of 400 x 533 to answers, beside ONNX Runtime alone on ready tensors."""
    source = sorted(real_data("clothing", "test").rglob("*.jpg"))
    files = []
    for number in range(PHOTOS):
        pixels = cv2.imread(str(source[number % len(source)]))
        file = folder / f"{number}.jpg"
        cv2.imwrite(str(file), cv2.resize(pixels, (400, 533)))  # type: ignore[arg-type]
        files.append(file)
    predictor = Predictor(bundle)
    ready = np.stack([predictor.prepare(file)[1] for file in files[:BATCH]])

    def ours() -> float:
        started = time.perf_counter()
        assert sum(answer.failure is None for answer in predictor.predict(files)) == PHOTOS
        return PHOTOS / (time.perf_counter() - started)

    def alone() -> float:
        started = time.perf_counter()
        for _ in range(PHOTOS // BATCH):
            predictor.outputs(ready)
        return PHOTOS / (time.perf_counter() - started)

    return compare("bundle in bulk over ONNX Runtime alone", ours, alone, goal=0.9)


def main() -> list[Row]:
    photo = sorted(real_data("clothing", "test").rglob("*.jpg"))[0]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        weights = ["experiment=clothing_probe", f"model.pretrained={WEIGHTS}"]
        train(folder, *weights)
        run = find_run("latest", folder / "runs")
        bundle = run.path / "bundle"
        rows = [one_photo(folder, bundle, photo), in_bulk(folder, bundle)]
        _, formats = compare_formats(run)
        whole, small, *_ = formats
        rows.append(row("int8 over float32, images/s", [small.rate / whole.rate], "x", 1.5))
        lost = 100 * (whole.value - small.value)
        rows.append(row("int8: macro-F1 lost on validation", [lost], "points", 1, at_most=True))
    return rows


if __name__ == "__main__":
    finish(main())
