"""RGB pixels to a JPEG file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import simplejpeg
from numpy.typing import NDArray

from osprey.system.files import write_bytes


def write_jpeg(path: Path, pixels: NDArray[np.uint8], quality: int = 95) -> None:
    """Write a JPEG atomically; its folder is created if needed.

    Args:
        path: Destination; an existing file is replaced.
        pixels: uint8 [H, W, 3], RGB.
        quality: 1 to 100.
    """
    encoded = simplejpeg.encode_jpeg(np.ascontiguousarray(pixels), quality, "RGB")
    path.parent.mkdir(parents=True, exist_ok=True)
    write_bytes(path, encoded, fixed=True)
