"""Boxes of a model's input as boxes of the photos. No Lightning: prediction loads this as well."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from torch import Tensor

from osprey.imaging import Preprocess
from osprey.imaging.boxes import Detections
from osprey.tasks.detection.prediction import on_photo


def on_photos(
    answers: Sequence[dict[str, Tensor]], sizes: Tensor, preprocess: Preprocess
) -> list[Detections]:
    """Map boxes from the model's input to the photos, clipped at their borders.

    Args:
        answers: Per photo ``boxes`` [N, 4] corners in input pixels, ``scores``, ``labels``.
        sizes: int64 [B, 2], width and height of each photo in pixels.
        preprocess: How the photos became input.

    Returns:
        One entry per photo, on the CPU.
    """
    result = []
    for answer, (width, height) in zip(answers, sizes.tolist(), strict=True):
        boxes = answer["boxes"].float().cpu().numpy().reshape(-1, 4)
        result.append(
            Detections(
                on_photo(boxes, width, height, preprocess),
                answer["scores"].float().cpu().numpy(),
                answer["labels"].cpu().numpy().astype(np.int64),
            )
        )
    return result
