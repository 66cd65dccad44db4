"""What the tags of a TIFF say that decides whether its pixels can be read right."""

from __future__ import annotations

import io
from typing import Any

from PIL import Image, TiffImagePlugin

MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_WIDTH, _HEIGHT, _BITS, _COMPRESSION, _WHITE, _SAMPLES = 0x100, 0x101, 0x102, 0x103, 0x106, 0x115
_PLANES, _FORMAT = 0x11C, 0x153
_SIGNED, _FLOAT = 2, 3  # values of the tag of the samples' format
_SAVE = "save it as grey or RGB of 8 or 16 bits, interleaved by pixel"


def tiff_tags(data: bytes) -> Any:
    """The tags of the first picture.

    Args:
        data: The whole file.

    Returns:
        A mapping of tags; None where the file is no TIFF or its header is damaged.
    """
    if data[:4] not in MAGIC:
        return None
    try:
        tags = TiffImagePlugin.ImageFileDirectory_v2(data[:8])
        source = io.BytesIO(data)
        source.seek(tags.next)
        tags.load(source)
        return tags if _WIDTH in tags and _HEIGHT in tags else None
    except Exception:  # of a damaged header, in one of Pillow's dozen ways
        return None


def float_size(tags: Any) -> tuple[int, int] | None:
    """Width and height, as stored, of a TIFF of floats, of which Pillow opens the grey ones alone.

    Args:
        tags: See `tiff_tags`.

    Returns:
        Pixels; None for any other file.
    """
    if tags is None or _FLOAT not in tags.get(_FORMAT, ()):
        return None
    return int(tags[_WIDTH]), int(tags[_HEIGHT])


def misread(tags: Any) -> str:
    """Why the pixels of a sound TIFF would come out wrong; empty where they do not.

    Pillow and OpenCV both take deep colours in planes for bytes, and signed bytes for unsigned.

    Args:
        tags: See `tiff_tags`.
    """
    if tags is None:
        return ""
    bits = max(tags.get(_BITS, (1,)))
    if tags.get(_PLANES, 1) == 2 and tags.get(_SAMPLES, 1) > 1 and bits > 8:
        return f"has its colours of {bits} bits in planes, which Osprey does not read; {_SAVE}"
    if bits == 8 and _SIGNED in tags.get(_FORMAT, ()):
        return f"has signed samples of 8 bits, which Osprey does not read; {_SAVE}"
    return ""


def not_opened(tags: Any) -> str:
    """What kind of sound TIFF it is that Pillow does not open.

    Args:
        tags: See `tiff_tags`.
    """
    samples, bits = tags.get(_SAMPLES, 1), max(tags.get(_BITS, (1,)))
    packed = tags.get(_COMPRESSION, 1)
    return (
        f"is a TIFF of {samples} samples a pixel of {bits} bits (compression {packed}), which "
        f"Osprey does not read; {_SAVE}"
    )


def white_is_zero(image: Image.Image) -> bool:
    """Whether the deep grey samples of an opened TIFF are brightest at 0.

    Pillow turns those of 8 bits round itself.
    """
    if not isinstance(image, TiffImagePlugin.TiffImageFile):
        return False
    return image.mode.startswith("I;16") and image.tag_v2.get(_WHITE) == 0
