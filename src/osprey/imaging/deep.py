"""Pictures of more than 8 bits a sample: microscopes, depth, thermal cameras.

A file of 16 bits does not say how many of them its camera filled, and one of floats does not say
which number is white. Given a range, its samples are scaled to 8 bits by it.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any, cast

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from osprey.imaging.formats import HEAD, open_image
from osprey.imaging.tiff import MAGIC as TIFF
from osprey.imaging.tiff import float_size, misread, tiff_tags

Range = tuple[float, float]  # the samples that become black and white
RANGE_16 = 65_535  # the largest unsigned 16-bit sample
_JPEG2000 = (b"\0\0\0\x0cjP  ", b"\xff\x4f\xff\x51")
_ORIENTATION = 0x112


@dataclass(frozen=True)
class Levels:
    """The samples of one deep picture.

    Attributes:
        low: The least.
        high: The largest.
        whole: They are unsigned 16-bit numbers, of which 65,535 may stand for white.
    """

    low: float
    high: float
    whole: bool


def is_grey(image: Image.Image) -> bool:
    """Whether an opened picture has one deep sample a pixel."""
    return image.mode in ("I", "F") or image.mode.startswith("I;16")


def has_deep_colours(image: Image.Image) -> bool:
    """Whether an opened picture has colours of 16 bits, of which Pillow keeps the high bytes."""
    if image.mode not in ("RGB", "RGBA", "RGBX", "LA"):
        return False
    return any(";16" in str(tile[3]) for tile in getattr(image, "tile", ()))


def needs_range(mode: str, kind: str | None) -> bool:
    """Whether nothing says which sample is white: those of floats, 32 bits, signed ones.

    Args:
        mode: Pillow's.
        kind: The format; a 16-bit PNM arrives as 32-bit integers on the scale of 16.
    """
    return mode == "F" or (mode == "I" and kind != "PPM")


def colours_of(data: bytes, image: Image.Image | None) -> NDArray[Any]:
    """The samples of a PNG or TIFF with deep colours, its EXIF orientation applied.

    Args:
        data: The whole file; its size is already checked.
        image: As Pillow opened it, if it did.

    Returns:
        RGB [H, W, 3], uint16 or float; [H, W] where all are grey. Transparent ones lie on white.
    """
    flags = cv2.IMREAD_UNCHANGED | cv2.IMREAD_IGNORE_ORIENTATION  # which turns a TIFF all the same
    pixels = cast(Any, cv2.imdecode(np.frombuffer(data, dtype=np.uint8), flags))
    if pixels is None:
        raise ValueError("its samples cannot be read")
    if pixels.ndim == 3 and pixels.shape[2] == 4:
        pixels = _on_white(pixels)
    colours = pixels[:, :, ::-1] if pixels.ndim == 3 else pixels
    return _turned(colours, 1 if data[:4] in TIFF else _orientation(image))


def scaled(samples: NDArray[Any], value_range: Range) -> NDArray[np.uint8]:
    """Samples as 8 bits.

    Args:
        samples: [H, W] or [H, W, 3] of any numbers; what is not a number becomes black.
        value_range: The samples that become 0 and 255; what lies outside is cut off.

    Returns:
        Contiguous uint8 [H, W, 3].
    """
    low, high = value_range
    part = (samples.astype(np.float32) - np.float32(low)) * np.float32(255 / (high - low))
    part = np.nan_to_num(part, nan=0.0, posinf=255.0, neginf=0.0)
    eight = np.rint(np.clip(part, 0, 255)).astype(np.uint8)
    return np.ascontiguousarray(eight if eight.ndim == 3 else np.repeat(eight[:, :, None], 3, 2))


def may_be_deep(head: bytes) -> bool:
    """Whether a file may have more than 8 bits a sample.

    Args:
        head: Its first `HEAD` bytes.
    """
    png = head[:4] == b"\x89PNG" and head[24:25] == b"\x10"
    pnm = head[:1] == b"P" and head[1:2] in (b"2", b"3", b"5", b"6")
    return png or pnm or head[:4] in TIFF or head.startswith(_JPEG2000)


def levels_of(data: bytes, most_pixels: int) -> Levels | None:
    """The range of a picture's samples where they have more than 8 bits.

    Args:
        data: The whole file; one of an 8-bit kind is not opened.
        most_pixels: A larger picture is not read.

    Returns:
        None for 8 bits, and for what cannot be read, which `decode` words.
    """
    if not may_be_deep(data[:HEAD]):
        return None
    try:
        found = _samples(data, most_pixels)
    except Exception:  # of a dozen types; `decode` words the reason
        return None
    if found is None:
        return None
    samples, whole = found
    finite = samples[np.isfinite(samples)] if samples.dtype.kind == "f" else samples
    ends = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)
    return Levels(*ends, whole)


def _samples(data: bytes, most_pixels: int) -> tuple[NDArray[Any], bool] | None:
    """Deep samples, and whether they are unsigned 16-bit numbers; None of 8 bits."""
    tags = tiff_tags(data)
    size = float_size(tags)
    if misread(tags):
        return None
    if size is not None and size[0] * size[1] > most_pixels:
        return None
    try:
        image = open_image(io.BytesIO(data))
    except Exception:
        return (colours_of(data, None), False) if size is not None else None
    with image:
        if image.width * image.height > most_pixels:
            return None
        if has_deep_colours(image):
            return colours_of(data, image), True
        return (
            (np.asarray(image), not needs_range(image.mode, image.format))
            if is_grey(image)
            else None
        )


def _on_white(pixels: NDArray[Any]) -> NDArray[Any]:
    """BGRA on white paper; a float picture's fourth channel is left out."""
    if pixels.dtype.kind == "f":
        return pixels[:, :, :3]
    most = float(np.iinfo(pixels.dtype).max)
    part = pixels[:, :, 3:] / most
    return np.rint(pixels[:, :, :3] * part + most * (1 - part)).astype(pixels.dtype)


def _orientation(image: Image.Image | None) -> int:
    try:
        return int(cast(Any, image).getexif().get(_ORIENTATION, 1))
    except Exception:  # damaged EXIF; the pixels are sound
        return 1


def _turned(pixels: NDArray[Any], orientation: int) -> NDArray[Any]:
    """Apply an EXIF orientation to samples of any kind."""
    if orientation in (5, 6, 7, 8):
        pixels = pixels.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return pixels
