"""The size of a photo, without decoding its pixels."""

from __future__ import annotations

import io
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import TiffImagePlugin

from osprey.imaging.decode import MAX_PIXELS, read_image
from osprey.imaging.formats import coded_size, open_image
from osprey.imaging.jpeg_header import HEAD, jpeg_size
from osprey.imaging.orientation import exif_orientation

_WIDTH_TAG, _HEIGHT_TAG, _ORIENTATION_TAG = 0x0100, 0x0101, 0x0112
_TURNED = (5, 6, 7, 8)  # orientations that lie on their side
_AT_ONCE = 128_000_000  # pixels; a decoder takes up to ten bytes for each
_room = threading.Condition()
_taken = [0]


@contextmanager
def turn(width: int, height: int) -> Iterator[None]:
    """Hold memory for decoding a photo of this size; waits while other threads' photos need it.

    Args:
        width: Of the photo in pixels.
        height: Of the photo in pixels.
    """
    pixels = min(width * height, _AT_ONCE)
    with _room:
        _room.wait_for(lambda: _taken[0] + pixels <= _AT_ONCE)
        _taken[0] += pixels
    try:
        yield
    finally:
        with _room:
            _taken[0] -= pixels
            _room.notify_all()


def image_size(path: Path | str) -> tuple[int, int]:
    """Size of a photo with its EXIF orientation applied, from its header alone.

    Args:
        path: The file.

    Returns:
        Width and height in pixels.

    Raises:
        UnreadableImage: The file is missing, damaged or no picture; see `read_image`.
    """
    size = _size_of_file(path)
    if size is None or size[0] * size[1] > MAX_PIXELS:
        height, width = read_image(Path(path)).shape[:2]  # or the reason why not
        return int(width), int(height)
    return size


def size_of(data: bytes, pixels: NDArray[np.uint8]) -> tuple[int, int]:
    """Width and height of a photo in memory, its EXIF orientation applied.

    Args:
        data: The whole file.
        pixels: What `decode` made of it, perhaps at a reduced scale, uint8 [H, W, 3].
    """
    height, width = pixels.shape[:2]
    is_scaled = data[:2] == b"\xff\xd8"  # only a JPEG may be
    return (is_scaled and _size_in_header(io.BytesIO(data))) or (width, height)


def upright_size(data: bytes) -> tuple[int, int] | None:
    """Width and height of a photo in memory, its EXIF orientation applied, from its header alone.

    Args:
        data: The whole file.

    Returns:
        Pixels; None where there is no sound header.
    """
    return _size_in_header(io.BytesIO(data))


def announced_size(data: bytes) -> tuple[int, int] | None:
    """Width and height as a photo's header has them, before any pixel or tag is read.

    Args:
        data: The whole file.

    Returns:
        Pixels, perhaps more than would be decoded; None where there is no sound header.
    """
    try:
        with open_image(io.BytesIO(data)) as image:
            return max(image.size, coded_size(data), key=lambda size: size[0] * size[1])
    except Exception:  # of a dozen types; `decode` words the reason
        return None


def _size_of_file(path: Path | str) -> tuple[int, int] | None:
    if not os.path.isfile(path):
        return None
    try:
        with open(path, "rb", buffering=0) as file:
            plain = jpeg_size(file.read(HEAD))
    except OSError:
        return None
    return _size_in_header(Path(path)) if plain is None else plain


def _size_in_header(source: Path | io.BytesIO) -> tuple[int, int] | None:
    try:
        with open_image(source) as image:
            if image.format in ("JPEG", "MPO"):
                orientation = exif_orientation(image.info.get("exif", b"")[len(b"Exif\0\0") :])
            else:
                orientation = image.getexif().get(_ORIENTATION_TAG, 1)
            width, height = image.size
            if isinstance(image, TiffImagePlugin.TiffImageFile):  # some releases turn it already
                width, height = image.tag_v2[_WIDTH_TAG], image.tag_v2[_HEIGHT_TAG]
    except Exception:  # Pillow's plugins raise a dozen types; `read_image` words the reason
        return None
    return (height, width) if orientation in _TURNED else (width, height)
