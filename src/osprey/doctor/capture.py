"""When and with which camera a photo was taken, as its EXIF block says."""

from __future__ import annotations

import io
import math
from dataclasses import dataclass
from datetime import datetime

from PIL import Image

_HEAD = 65_536  # bytes in which a camera's EXIF block begins
_MAKE, _MODEL, _SERIAL = 0x010F, 0x0110, 0xA431
# Not 0x0132, the time of the last change: programs write it, to many photos at once.
_ORIGINAL, _DIGITISED = 0x9003, 0x9004
_FRACTION = {_ORIGINAL: 0x9291, _DIGITISED: 0x9292}
_EXIF = 0x8769


@dataclass(frozen=True)
class Capture:
    """When a photo was taken.

    Attributes:
        time: Seconds since an arbitrary day, by the camera's clock; NaN where unknown.
        camera: Make, model and serial number, as far as they are there.
    """

    time: float = math.nan
    camera: str = ""


def capture_of(data: bytes) -> Capture:
    """Read time and camera of a JPEG, PNG, TIFF or WebP photo.

    Args:
        data: The whole file.

    Returns:
        What its EXIF block says; nothing where there is none, or it is damaged.
    """
    head = data[:_HEAD]
    if head[:2] not in (b"II", b"MM") and b"Exif" not in head and b"eXIf" not in head:
        return Capture()
    try:
        with Image.open(io.BytesIO(data)) as image:
            exif = image.getexif()
            tags = {**dict(exif), **exif.get_ifd(_EXIF)}
    except Exception:  # of a dozen types; the pixels are another matter
        return Capture()
    parts = (str(tags[tag]).strip("\0 ") for tag in (_MAKE, _MODEL, _SERIAL) if tag in tags)
    return Capture(_time(tags), " ".join(part for part in parts if part))


def _time(tags: dict[int, object]) -> float:
    for tag in (_ORIGINAL, _DIGITISED):
        text = str(tags.get(tag, "")).strip("\0 ")
        try:
            when = datetime.strptime(text, "%Y:%m:%d %H:%M:%S")
        except ValueError:
            continue
        fraction = str(tags.get(_FRACTION[tag], "")).strip("\0 ")
        part = float(f"0.{fraction}") if fraction.isdecimal() else 0.0
        return (when - datetime(1970, 1, 1)).total_seconds() + part
    return math.nan
