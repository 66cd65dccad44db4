"""Which kinds of picture files are read, by which of Pillow's plugins; only headers are read here.

HEIC, as iPhones write it, needs the extra ``heic``, which is imported at the first such photo.
"""

from __future__ import annotations

import io
import struct
from pathlib import Path

from PIL import (
    AvifImagePlugin,
    BmpImagePlugin,
    GifImagePlugin,
    Image,
    Jpeg2KImagePlugin,
    JpegImagePlugin,
    MpoImagePlugin,
    PngImagePlugin,
    PpmImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
    features,
)

from osprey.errors import UnreadableImage

JPEG_SUFFIXES = frozenset({".jpg", ".jpeg", ".jpe", ".jfif", ".mpo"})
JPEG2000_SUFFIXES = frozenset({".jp2", ".j2k", ".jpf", ".jpx", ".j2c"})
HEIC_SUFFIXES = frozenset({".heic", ".heif", ".hif"})
IMAGE_SUFFIXES = (
    JPEG_SUFFIXES
    | JPEG2000_SUFFIXES
    | HEIC_SUFFIXES
    | frozenset(
        {".png", ".apng", ".webp", ".bmp", ".dib", ".avif"}
        | {".tif", ".tiff", ".gif", ".ppm", ".pgm", ".pbm", ".pnm"}
    )
)
FORMATS = ["JPEG", "PNG", "WEBP", "BMP", "DIB", "TIFF", "GIF", "PPM"] + [
    name
    for name, part in (("AVIF", "avif"), ("JPEG2000", "jpg_2000"))
    if features.check(part)  # most builds of Pillow have both
]
# Importing a plugin registers it; else Pillow loads all 43 at the first oddity it meets.
_PLUGINS = (
    *(AvifImagePlugin, BmpImagePlugin, GifImagePlugin, Jpeg2KImagePlugin, JpegImagePlugin),
    *(MpoImagePlugin, PngImagePlugin, PpmImagePlugin, TiffImagePlugin, WebPImagePlugin),
)
_AVIF = frozenset({b"avif", b"avis"})
_HEIC = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"})
_HEIF = frozenset({b"mif1", b"msf1"})  # of a container that may hold either
_SIZE = b"ispe\0\0\0\0"  # the box with a coded picture's width and height
HEAD = 64  # bytes of a file that tell which kind it is
NEEDS_HEIC = "a HEIC photo, which an extra of Osprey's reads: pip install 'osprey-vision[heic]'"


def open_image(source: Path | io.BytesIO) -> Image.Image:
    """Open a picture; its header is read, no pixel is.

    Args:
        source: The file, or its bytes from their start.

    Returns:
        Pillow's image, to be closed.

    Raises:
        UnreadableImage: It is a HEIC photo, and the extra that reads those is not installed; the
            message has no file name.
        Exception: Of a dozen types, where there is no sound header.
    """
    if isinstance(source, Path):
        with source.open("rb") as file:
            head = file.read(HEAD)
    else:
        head = source.getbuffer()[:HEAD].tobytes()
    if container_kind(head) != "HEIC":
        return Image.open(source, formats=FORMATS)
    if not reads_heic():
        raise UnreadableImage(f"is {NEEDS_HEIC}")
    return Image.open(source, formats=["HEIF"])


def reads_heic() -> bool:
    """Whether the extra that reads HEIC is installed."""
    try:
        import pi_heif
    except ImportError:
        return False
    if "HEIF" not in Image.OPEN:
        pi_heif.register_heif_opener(thumbnails=False)
    return True


def coded_size(data: bytes) -> tuple[int, int]:
    """The largest picture that a HEIC file is coded as, of which it may show a part alone.

    Args:
        data: The whole file.

    Returns:
        Width and height in pixels; 0 for any other file.
    """
    if container_kind(data[:HEAD]) != "HEIC":
        return 0, 0
    found = [(0, 0)]
    place = data.find(_SIZE)
    while 0 <= place <= len(data) - 16:
        found.append(struct.unpack_from(">II", data, place + len(_SIZE)))
        place = data.find(_SIZE, place + 1)
    return max(found, key=lambda size: size[0] * size[1])


def container_kind(head: bytes) -> str:
    """What a file of ISO boxes (HEIC, AVIF, MP4) says that it is.

    Args:
        head: Its first `HEAD` bytes.

    Returns:
        ``HEIC``, ``AVIF``, or empty for anything else.
    """
    if head[4:8] != b"ftyp":
        return ""
    end = min(len(head), int.from_bytes(head[:4], "big"))
    brands = {head[8:12], *(head[at : at + 4] for at in range(16, end - 3, 4))}
    if head[8:12] in _AVIF or (brands & _AVIF and not brands & _HEIC):
        return "AVIF"
    return "HEIC" if brands & _HEIC or head[8:12] in _HEIF else ""
