"""RGB pixels to a JPEG file."""

from __future__ import annotations

import base64
from pathlib import Path

import numpy as np
import simplejpeg
from numpy.typing import NDArray

from osprey.system.files import write_bytes


def jpeg_bytes(pixels: NDArray[np.uint8], quality: int = 95) -> bytes:
    """Encode a JPEG.

    Args:
        pixels: uint8 [H, W, 3], RGB.
        quality: 1 to 100.
    """
    encoded: bytes = simplejpeg.encode_jpeg(np.ascontiguousarray(pixels), quality, "RGB")
    return encoded


def jpeg_uri(pixels: NDArray[np.uint8], quality: int) -> str:
    """Encode a JPEG as a data URI, for a page of one file.

    Args:
        pixels: uint8 [H, W, 3], RGB.
        quality: 1 to 100.
    """
    return "data:image/jpeg;base64," + base64.b64encode(jpeg_bytes(pixels, quality)).decode()


def write_jpeg(path: Path, pixels: NDArray[np.uint8], quality: int = 95) -> None:
    """Write a JPEG atomically; its folder is created if needed.

    Args:
        path: Destination; an existing file is replaced.
        pixels: uint8 [H, W, 3], RGB.
        quality: 1 to 100.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    write_bytes(path, jpeg_bytes(pixels, quality), fixed=True)
