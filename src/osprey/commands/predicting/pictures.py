"""Photos with what was found drawn on them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from osprey.data.naming import unique_stems
from osprey.imaging import read_image
from osprey.imaging.boxes import Detections
from osprey.imaging.drawing import draw_boxes
from osprey.imaging.encode import write_jpeg


class Pictures:
    """Writes drawn photos into the folders that the photos have.

    Args:
        target: The folder to write to.
        photos: All photos.
        root: The folder they come from; None: one photo, whose folder is not kept.
    """

    def __init__(self, target: Path, photos: Sequence[Path], root: Path | None) -> None:
        above = photos[0].parent if root is None else root
        # Where the photos lie, a picture takes none of their names.
        inside = target.resolve().is_relative_to(above.resolve())
        ending = "_boxes.jpg" if inside else ".jpg"
        self.files = {
            photo: target / name.relative_to(above).with_name(f"{name.name}{ending}")
            for photo, name in unique_stems(photos).items()
        }

    def draw(
        self,
        photo: Path,
        found: Detections,
        texts: Sequence[str],
        pixels: NDArray[np.uint8] | None = None,
    ) -> None:
        """Write one picture.

        Args:
            photo: One of the photos.
            found: What to draw on it.
            texts: What to write at each box.
            pixels: The photo, where it is decoded already.
        """
        full = read_image(photo) if pixels is None else pixels
        write_jpeg(self.files[photo], draw_boxes(full, found.boxes, texts, found.labels.tolist()))
