"""Multi-scale training: batches with boxes resized at random, on their device."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

_STEP = 32  # pixels: what a network's strides divide


def rescale(images: Tensor, boxes: Sequence[Tensor], spread: float) -> tuple[Tensor, list[Tensor]]:
    """Resize one batch to a side drawn uniformly from the multiples of 32 within a range.

    The random number comes from torch's global CPU generator, so a seed gives the same size on any
    device.

    Args:
        images: Floating point [B, 3, S, S], any memory format.
        boxes: For each image float32 [n, 4], in its pixels.
        spread: The range, as a fraction of S: 0.25 for 75 to 125 %; 0 changes nothing.

    Returns:
        Images [B, 3, T, T] of the same dtype, device and memory format, and their boxes.
    """
    side = images.shape[-1]
    # The tolerance is for shares that binary numbers miss by a little.
    least = max(1, math.ceil(side * (1 - spread) / _STEP - 1e-6))
    most = math.floor(side * (1 + spread) / _STEP + 1e-6)
    if not spread or most < least:
        return images, list(boxes)
    new = _STEP * int(torch.randint(least, most + 1, ()))
    if new == side:
        return images, list(boxes)
    larger = functional.interpolate(
        images, size=(new, new), mode="bilinear", align_corners=False, antialias=new < side
    )
    return larger, [part * (new / side) for part in boxes]
