"""What a detector finds on the photos of a split, and the table it is kept in."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn

from osprey.config.schema import TrainConfig
from osprey.data.datamodule import DataModule
from osprey.data.manifest import Manifest
from osprey.errors import DataError
from osprey.imaging import Preprocess
from osprey.imaging.boxes import Detections
from osprey.models.checkpoint import CheckpointMetadata
from osprey.models.pixels import Normalise
from osprey.system.files import write_csv
from osprey.tasks.detection.placing import on_photos
from osprey.tasks.loading import run_device

COLUMNS = ("path", "label", "score", "x", "y", "w", "h")


@dataclass(frozen=True)
class BoxOutputs:
    """What was found on each photo of a split beside its truth, in the photos' own pixels."""

    paths: list[str]
    found: list[Detections]
    truth: list[Detections]


def run_detector(
    model: nn.Module,
    metadata: CheckpointMetadata,
    manifest: Manifest,
    split: str,
    config: TrainConfig,
    limit: int | None = None,
) -> BoxOutputs:
    """Ask the detector about every photo of ``split``, in the manifest's order.

    Args:
        model: The detector.
        metadata: What its checkpoint says of it.
        manifest: Photos with their boxes.
        split: Whose photos.
        config: Settings of the run.
        limit: At most so many batches.

    Raises:
        DataError: The split holds nothing.
    """
    preprocess = Preprocess.from_dict(metadata.preprocess)
    part = manifest.split(split)
    if part.table.empty:
        raise DataError(f"the '{split}' split is empty: nothing to test on")
    data = DataModule(manifest, metadata.classes, preprocess, config.data, seed=config.seed)
    device = run_device(config.trainer)
    pixels = Normalise(preprocess.mean, preprocess.std).to(device)
    model = model.to(device, memory_format=torch.channels_last).eval()  # type: ignore[call-overload]
    found: list[Detections] = []
    with torch.inference_mode():
        for number, batch in enumerate(data.eval_dataloader(split)):
            if limit is not None and number >= limit:
                break
            answers = model(pixels(batch["image"].to(device)))
            found += on_photos(answers, batch["size"], preprocess)
    found = found[: len(part.table)]
    truth = [true_boxes(part, row, metadata.classes) for row in range(len(found))]
    return BoxOutputs(part.table["path"].tolist()[: len(found)], found, truth)


def true_boxes(manifest: Manifest, row: int, classes: Sequence[str]) -> Detections:
    """The true boxes of one photo, as if found with a score of 1."""
    boxes, names = manifest.boxes(row)
    labels = np.array([classes.index(name) for name in names], dtype=np.int64)
    return Detections(boxes, np.ones(len(labels), dtype=np.float32), labels)


def write_boxes(path: Path, outputs: BoxOutputs, classes: Sequence[str]) -> None:
    """One row a box found: path, label, score, and x, y, w, h in pixels from the top left."""

    def rows() -> Iterator[list[str]]:
        for name, photo in zip(outputs.paths, outputs.found, strict=True):
            for box, score, label in zip(photo.boxes, photo.scores, photo.labels, strict=True):
                x, y, right, bottom = (float(v) for v in box)
                sides = (f"{v:.2f}" for v in (x, y, right - x, bottom - y))
                yield [name, classes[int(label)], f"{score:.6g}", *sides]

    write_csv(path, COLUMNS, rows())
