"""EXIF of one photo carried over to another that is made of it."""

from __future__ import annotations

import io
import struct

from osprey.imaging.formats import open_image

_ORIENTATION_TAG = 0x0112
_MOST = 65_533  # bytes of one JPEG segment


def with_exif(jpeg: bytes, source: bytes) -> bytes:
    """A JPEG with another photo's EXIF: time, place, camera.

    Its orientation is set to upright, for decoding has applied it. What is damaged or too large for
    a JPEG is left out.

    Args:
        jpeg: A file that `jpeg_bytes` made.
        source: The other photo's file.
    """
    try:
        with open_image(io.BytesIO(source)) as image:
            exif = image.getexif()
            if not exif:
                return jpeg
            exif[_ORIENTATION_TAG] = 1
            block = exif.tobytes()
    except Exception:  # damaged EXIF, in one of the dozen ways that Pillow knows; pixels are sound
        return jpeg
    if not block.startswith(b"Exif\0\0"):
        block = b"Exif\0\0" + block
    if len(block) > _MOST:
        return jpeg
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(block) + 2) + block + jpeg[2:]
