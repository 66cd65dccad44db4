"""Bytes of a photo to RGB pixels, the same for training, evaluation and prediction.

JPEG goes through libjpeg-turbo with scaled decoding; whatever that refuses, and every other
format, goes through Pillow. A file either decodes completely or raises `UnreadableImage`.
"""

from __future__ import annotations

import contextlib
import io
import os
import stat
import warnings
from pathlib import Path
from typing import cast

import numpy as np
import simplejpeg
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from osprey.errors import UnreadableImage
from osprey.imaging.decode_errors import one_line, reason
from osprey.imaging.deep import (
    Range,
    colours_of,
    has_deep_colours,
    is_grey,
    needs_range,
    scaled,
)
from osprey.imaging.formats import IMAGE_SUFFIXES, JPEG_SUFFIXES, coded_size, open_image
from osprey.imaging.orientation import jpeg_orientation, upright
from osprey.imaging.tiff import float_size, misread, tiff_tags, white_is_zero

__all__ = ["IMAGE_SUFFIXES", "JPEG_SUFFIXES", "MAX_PIXELS", "decode", "read_file", "read_image"]

MAX_PIXELS = 178_956_970  # Where Pillow, too, calls a picture a decompression bomb.
_MAX_FILE_BYTES = 1 << 30
_MAX_JPEG_SCANS = 500  # libjpeg's own fuzzing limit: thousands of scans cost minutes a photo.
_NO_RANGE = (
    "has {} pixels, whose brightness range is unknown: train with data.value_range=[LOW,HIGH], "
    "or save it as 8 or 16 bit"
)

# Pillow warns of every oddity it reads past. A filter, unlike catch_warnings, is safe in threads.
warnings.filterwarnings("ignore", module=r"PIL(\.|$)")


def decode(
    data: bytes, *, min_side: int = 0, name: str = "image", value_range: Range | None = None
) -> NDArray[np.uint8]:
    """Decode a JPEG, PNG, WebP, BMP, TIFF, GIF (first frame), MPO, PNM, AVIF or JPEG 2000 picture.

    With the extra ``heic`` also iPhones' HEIC. EXIF orientation is applied, transparency composited
    on white. CMYK is converted as Pillow does, Adobe's inverted CMYK included.

    Args:
        data: The whole file.
        min_side: A JPEG may be decoded at a reduced scale as long as its short side stays at least
            this many pixels; 0 decodes at full size. Other formats ignore it.
        name: Name of the picture in errors.
        value_range: Which samples of more than 8 bits become black and white; None: 16-bit ones
            keep their high byte. Samples of 8 bits stay as they are.

    Returns:
        Contiguous, writable uint8 [H, W, 3], RGB.

    Raises:
        UnreadableImage: The data is empty, truncated, damaged, no picture, of more than
            `MAX_PIXELS` pixels, or of floats and there is no ``value_range``.
    """
    label = one_line(name)
    if not data:
        raise UnreadableImage(f"{label}: is empty (0 bytes); copy it again from its source")
    try:
        pixels = _decode_jpeg(data, min_side, label) if data[:2] == b"\xff\xd8" else None
        if pixels is None:
            pixels = _decode_with_pillow(data, min_side, label, value_range)
        return pixels
    except UnreadableImage as error:
        raise (
            error if str(error).startswith(label) else UnreadableImage(f"{label}: {error}")
        ) from None
    except Exception as error:  # Pillow's plugins raise a dozen types on damaged files.
        raise UnreadableImage(f"{label}: {reason(data, error)}") from None


def read_image(
    path: Path, *, min_side: int = 0, value_range: Range | None = None
) -> NDArray[np.uint8]:
    """Read and decode one file.

    Args:
        path: The file, at most 1 GiB.
        min_side: See `decode`.
        value_range: See `decode`.

    Returns:
        Contiguous, writable uint8 [H, W, 3], RGB.

    Raises:
        UnreadableImage: As `decode`; also when the file is missing, too large, not permitted or not
            a regular file.
    """
    return decode(read_file(path), min_side=min_side, name=str(path), value_range=value_range)


def read_file(path: Path) -> bytes:
    """The bytes of one photo, not decoded yet.

    Raises:
        UnreadableImage: The file is missing, forbidden, too large or not a regular file.
    """
    label = one_line(str(path))
    try:
        # Asked before opening: to open a named pipe would wait for ever.
        info = os.stat(path)
        if stat.S_ISDIR(info.st_mode):
            raise UnreadableImage(f"{label}: is a folder, not a picture")
        if not stat.S_ISREG(info.st_mode):
            raise UnreadableImage(f"{label}: is not a regular file")
        if info.st_size > _MAX_FILE_BYTES:
            raise UnreadableImage(f"{label}: is larger than 1 GiB; shrink it first")
        return Path(path).read_bytes()
    except FileNotFoundError:
        raise UnreadableImage(f"{label}: no such file") from None
    except PermissionError:
        raise UnreadableImage(f"{label}: may not be read; check its permissions") from None
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise UnreadableImage(f"{label}: cannot be read ({why})") from None


def _check_size(width: int, height: int, label: str) -> None:
    if width < 1 or height < 1:
        raise UnreadableImage(f"{label}: has no pixels ({width} x {height})")
    if width * height > MAX_PIXELS:
        raise UnreadableImage(
            f"{label}: {width} x {height} pixels is over the limit of "
            f"{MAX_PIXELS // 1_000_000} megapixels; shrink it first"
        )


def _decode_jpeg(data: bytes, min_side: int, label: str) -> NDArray[np.uint8] | None:
    """Decode an intact RGB or grey JPEG; None where Pillow has to try."""
    # Inside the compressed pixels an FF is always escaped, so this counts scans (and thumbnails').
    if data.count(b"\xff\xda") > _MAX_JPEG_SCANS:
        raise UnreadableImage(f"{label}: JPEG with over {_MAX_JPEG_SCANS} scans; save it again")
    try:
        height, width, colours, _ = simplejpeg.decode_jpeg_header(data)
    except Exception:
        return None
    _check_size(width, height, label)
    if colours not in ("YCbCr", "Gray", "RGB"):
        return None
    # Out of reach, a minimum would be dropped for one axis only. A factor below 2 saves no time.
    least = min_side if 0 < min_side < min(height, width) else 0
    factor = 2.0 if least else 1.0
    try:
        pixels = simplejpeg.decode_jpeg(
            data, "RGB", min_height=least, min_width=least, min_factor=factor, strict=True
        )
    except Exception:
        return None
    return upright(pixels, jpeg_orientation(data))


def _decode_with_pillow(
    data: bytes, min_side: int, label: str, value_range: Range | None
) -> NDArray[np.uint8]:
    if (coded := coded_size(data)) != (0, 0):
        _check_size(*coded, label)
    tags = tiff_tags(data)
    if (size := float_size(tags)) is not None:
        _check_size(*size, label)
    if why := misread(tags):
        raise UnreadableImage(f"{label}: {why}")
    try:
        opened = open_image(io.BytesIO(data))
    except UnidentifiedImageError:
        if size is None:
            raise
        return _float_colours(data, label, value_range)
    with opened as image:
        _check_size(image.width, image.height, label)
        is_jpeg = image.format in ("JPEG", "MPO")
        if is_jpeg and 0 < min_side < min(image.size):
            # Pillow's scale is for both axes at once, so a square request bounds the short side.
            image.draft(None, (min_side, min_side))
        if value_range is not None and has_deep_colours(image):
            return scaled(colours_of(data, image), value_range)
        is_negative = white_is_zero(image)
        image.load()
        if is_jpeg:
            return upright(_to_rgb(image, label, "JPEG", None), jpeg_orientation(data))
        kind = image.format
        # In place: a large picture and its copies take gigabytes.
        with contextlib.suppress(Exception):  # Damaged EXIF; the pixels are sound.
            ImageOps.exif_transpose(image, in_place=True)
        pixels = _to_rgb(image, label, kind, value_range)
        return 255 - pixels if is_negative else pixels


def _float_colours(data: bytes, label: str, value_range: Range | None) -> NDArray[np.uint8]:
    if value_range is None:
        raise UnreadableImage(f"{label}: {_NO_RANGE.format('float')}")
    return scaled(colours_of(data, None), value_range)


def _to_rgb(
    image: Image.Image, label: str, kind: str | None, value_range: Range | None
) -> NDArray[np.uint8]:
    """Convert any Pillow mode to uint8 [H, W, 3]."""
    if is_grey(image):
        if value_range is not None:
            return scaled(np.asarray(image), value_range)
        if needs_range(image.mode, kind):
            depth = "float" if image.mode == "F" else "32-bit"
            raise UnreadableImage(f"{label}: {_NO_RANGE.format(depth)}")
        grey = (np.asarray(image).astype(np.uint16) >> 8).astype(np.uint8)
        return np.repeat(grey[:, :, None], 3, axis=2)
    if image.has_transparency_data:
        colour = image.convert("RGBA")
        paper = Image.new("RGBA", colour.size, "white")
        image = Image.alpha_composite(paper, colour)
    rgb = image if image.mode == "RGB" else image.convert("RGB")
    return cast("NDArray[np.uint8]", np.array(rgb, dtype=np.uint8, order="C"))
