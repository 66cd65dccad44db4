"""EXIF orientation: read from the bytes of a JPEG without parsing the rest, applied to an array."""

from __future__ import annotations

import struct
from typing import cast

import cv2
import numpy as np
from numpy.typing import NDArray

_ORIENTATION_TAG = 0x0112
_STANDALONE = frozenset([0x01, *range(0xD0, 0xD8)])


def jpeg_orientation(data: bytes) -> int:
    """Read the EXIF orientation of a JPEG.

    Args:
        data: The whole file.

    Returns:
        1 to 8, as EXIF defines them; 1 when absent, damaged or out of range.
    """
    try:
        return exif_orientation(_exif_block(data))
    except (struct.error, IndexError):
        return 1


def exif_orientation(block: bytes) -> int:
    """Read the orientation tag of an EXIF block.

    Args:
        block: The block's TIFF structure, without the leading ``Exif``; may be empty.

    Returns:
        1 to 8; 1 when absent, damaged or out of range.
    """
    try:
        return _orientation_in_tiff(block) if block else 1
    except (struct.error, IndexError):
        return 1  # A damaged EXIF block must not make a good photo unreadable.


def _exif_block(data: bytes) -> bytes:
    """Return the TIFF structure inside the first EXIF segment before the pixels, or ``b""``."""
    position = 2
    while position + 4 <= len(data) and data[position] == 0xFF:
        marker = data[position + 1]
        if marker == 0xFF:  # A fill byte.
            position += 1
            continue
        if marker in _STANDALONE:
            position += 2
            continue
        if marker in (0xD9, 0xDA):
            break
        (length,) = struct.unpack_from(">H", data, position + 2)
        body = position + 4
        if marker == 0xE1 and data[body : body + 6] == b"Exif\0\0":
            return data[body + 6 : position + 2 + length]
        position += 2 + max(length, 2)
    return b""


def _orientation_in_tiff(block: bytes) -> int:
    """Return the orientation tag of the first image directory, 1 when there is none."""
    order = {b"II": "<", b"MM": ">"}.get(block[:2])
    if order is None:
        return 1
    (start,) = struct.unpack_from(order + "I", block, 4)
    (entries,) = struct.unpack_from(order + "H", block, start)
    for index in range(entries):
        offset = start + 2 + 12 * index
        tag, kind, count = struct.unpack_from(order + "HHI", block, offset)
        if tag != _ORIENTATION_TAG:
            continue
        if count != 1 or kind not in (3, 4):
            return 1
        (value,) = struct.unpack_from(order + ("H" if kind == 3 else "I"), block, offset + 8)
        return int(value) if 1 <= value <= 8 else 1
    return 1


def upright(image: NDArray[np.uint8], orientation: int) -> NDArray[np.uint8]:
    """Apply an EXIF orientation to stored pixels.

    Args:
        image: uint8 [H, W, 3].
        orientation: EXIF value; anything but 2 to 8 leaves the image unchanged.

    Returns:
        Contiguous uint8, [H, W, 3] for values up to 4 and [W, H, 3] from 5 on.
    """
    if orientation == 2:
        turned = cv2.flip(image, 1)
    elif orientation == 3:
        turned = cv2.rotate(image, cv2.ROTATE_180)
    elif orientation == 4:
        turned = cv2.flip(image, 0)
    elif orientation == 5:
        turned = cv2.transpose(image)
    elif orientation == 6:
        turned = cv2.rotate(image, cv2.ROTATE_90_CLOCKWISE)
    elif orientation == 7:
        turned = cv2.flip(cv2.transpose(image), -1)
    elif orientation == 8:
        turned = cv2.rotate(image, cv2.ROTATE_90_COUNTERCLOCKWISE)
    else:
        turned = image
    return cast("NDArray[np.uint8]", np.ascontiguousarray(turned))
