"""The size of a photo, without decoding its pixels."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image, TiffImagePlugin

from osprey.imaging.decode import FORMATS, MAX_PIXELS, read_image
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


def image_size(path: Path) -> tuple[int, int]:
    """Size of a photo with its EXIF orientation applied, from its header alone.

    Args:
        path: The file.

    Returns:
        Width and height in pixels.

    Raises:
        UnreadableImage: The file is missing, damaged or no picture; see `read_image`.
    """
    size = _size_in_header(path) if os.path.isfile(path) else None
    if size is None or size[0] * size[1] > MAX_PIXELS:
        height, width = read_image(path).shape[:2]  # or the reason why not
        return int(width), int(height)
    return size


def _size_in_header(path: Path) -> tuple[int, int] | None:
    try:
        with Image.open(path, formats=FORMATS) as image:
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
