"""A photo with its boxes, as augmentation takes and gives it. Without torch."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from osprey.imaging.boxes import Boxes


class Labelled(NamedTuple):
    """A photo and its boxes.

    Attributes:
        image: uint8 [H, W, 3].
        boxes: float32 [N, 4], corners in pixels of ``image``.
        labels: int64 [N], class ids.
    """

    image: NDArray[np.uint8]
    boxes: Boxes
    labels: NDArray[np.int64]
