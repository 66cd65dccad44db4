"""Photos/s of cropping over photos/s of the detector alone, on the same harbour photos.

The detector alone means what `predict` does: decode, prepare, network, boxes. Cropping adds the
full-size decode, the cut, the JPEG at quality 95 and the record.
"""

from __future__ import annotations

import itertools
import os
import tempfile
import time
from pathlib import Path

os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")

import numpy as np
import torch
from common import Row, compare, finish

from osprey.data.crop_journal import CropJournal
from osprey.data.crop_labels import Labels
from osprey.data.folders import walk_photos
from osprey.data.harbour import render_harbour
from osprey.imaging import Preprocess
from osprey.models.checkpoint import METADATA_KEY, CheckpointMetadata, write_checkpoint
from osprey.models.registry import build
from osprey.models.spec import ModelSpec
from osprey.pipelines.cropper import CropOptions, Cropper
from osprey.tasks.detection.predictor import BoxPredictor

PHOTOS = 200
OPTIONS = {"backbone": "mobilenetv2_100"}


def untrained(folder: Path, size: int) -> Path:
    """A checkpoint of a detector that takes as long as a trained one."""
    torch.manual_seed(0)
    spec = ModelSpec("detector", "ssdlite", OPTIONS)
    state = {f"model.{key}": value for key, value in build(spec, 1).state_dict().items()}
    facts = CheckpointMetadata("detection", spec, ["fish"], Preprocess(size).to_dict())
    write_checkpoint({METADATA_KEY: facts.to_dict(), "state_dict": state}, folder / "best.ckpt")
    return folder / "best.ckpt"


def one_a_photo(checkpoint: Path, photos: list[Path]) -> BoxPredictor:
    """The detector with a threshold that leaves about one box a photo, as trained ones do."""
    predictor = BoxPredictor(checkpoint, min_score=0.0)
    found = [p.detections for p in predictor.predict(photos[:64]) if p.detections is not None]
    scores = np.sort(np.concatenate([detections.scores for detections in found]))
    predictor.thresholds[:] = scores[-min(64, len(scores))]
    return predictor


def main() -> list[Row]:
    """Harbour photos of the usual size; a tiny detector, beside which cropping weighs most."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        root = render_harbour(folder / "harbour", count=PHOTOS)
        photos = list(walk_photos(root / "images"))
        predictor = one_a_photo(untrained(folder, 160), photos)
        outputs = itertools.count()
        labels = Labels(None)

        def crop() -> float:
            with CropJournal(folder / f"crops{next(outputs)}", {}) as book:
                cropper = Cropper(root, photos, labels, book, CropOptions(0.1, False, "skip"))
                started = time.perf_counter()
                cropper.run(predictor)
                book.tables(labels)
                rate = len(photos) / (time.perf_counter() - started)
            assert len(book.of("crop")) > PHOTOS / 4
            return rate

        def detect() -> float:
            started = time.perf_counter()
            assert sum(1 for _ in predictor.predict(photos)) == len(photos)
            return len(photos) / (time.perf_counter() - started)

        what = f"crop {PHOTOS} photos over the detector alone"
        return [compare(what, crop, detect, turns=3, goal=0.9, unit="photos/s")]


if __name__ == "__main__":
    finish(main())
