"""Why a file is no picture, in words for the person who has to replace it."""

from __future__ import annotations

from PIL import Image, UnidentifiedImageError, features

from osprey.imaging.formats import HEAD, container_kind
from osprey.imaging.tiff import not_opened, tiff_tags

_LOOKS_LIKE = (
    (b"%PDF", "a PDF"),
    (b"PK\x03\x04", "a ZIP archive"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"version https://git-lfs", "a Git LFS pointer, not the photo itself (run 'git lfs pull')"),
    (b"<!doctype html", "an HTML page"),
    (b"<html", "an HTML page"),
    (b"<svg", "an SVG drawing"),
    (b"<?xml", "an XML file"),
    (b"\x1aE\xdf\xa3", "a Matroska video"),
    (b"8BPS", "a Photoshop file"),
)
_BRANDS = {b"isom": "MP4 video", b"mp42": "MP4 video", b"qt  ": "QuickTime video"}
_JPEG2000 = (b"\0\0\0\x0cjP  ", b"\xff\x4f\xff\x51")
_PARTS = {"AVIF": "avif", "JPEG 2000": "jpg_2000"}  # of Pillow, which a build of it may lack


def one_line(text: str) -> str:
    """Make a text safe to print on one line; file names may hold newlines or invalid UTF-8.

    Args:
        text: Any text.

    Returns:
        The text with ``?`` in place of unprintable characters.
    """
    return "".join(c if c.isprintable() else "?" for c in text)


def reason(data: bytes, error: Exception) -> str:
    """Say in plain words, on one line, why a file could not be decoded.

    Args:
        data: The whole file.
        error: What the decoder raised.

    Returns:
        The end of a sentence, such as ``is not a picture but a PDF``.
    """
    kind = _kind(data)
    if kind is None:
        head = data[:512].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
        for magic, what in _LOOKS_LIKE:
            if head.startswith(magic.lower()):
                return f"is not a picture but {what}"
        if data[4:8] == b"ftyp":
            what = _BRANDS.get(data[8:12], "video or photo of another kind")
            return f"is of a kind Osprey does not read ({what}); convert it to JPEG first"
        return (
            "is not a picture Osprey can read (JPEG, PNG, WebP, BMP, TIFF, GIF, PNM, AVIF, "
            "JPEG 2000 or HEIC)"
        )
    if kind in _PARTS and not features.check(_PARTS[kind]):
        return f"is {kind}, which this build of Pillow does not read; convert it to JPEG first"
    if isinstance(error, Image.DecompressionBombError):
        return "has more pixels than Osprey decodes; shrink it first"
    detail = " ".join(str(error).split()) or type(error).__name__
    if isinstance(error, UnidentifiedImageError):
        if (tags := tiff_tags(data)) is not None:
            return not_opened(tags)
        detail = "its header is incomplete or makes no sense"
    if isinstance(error, EOFError) or "truncated" in detail.lower():
        return f"truncated {kind} (ends after {len(data):,} bytes); copy it again from its source"
    return f"damaged {kind} ({one_line(detail[:120])}); copy it again from its source"


def _kind(data: bytes) -> str | None:
    """Return the format that the first bytes announce, None for anything else."""
    if data[:2] == b"\xff\xd8":
        return "JPEG"
    if data[:8] == b"\x89PNG\r\n\x1a\n":
        return "PNG"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WebP"
    if data[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
        return "TIFF"
    if data[:4] == b"GIF8":
        return "GIF"
    if data.startswith(_JPEG2000):
        return "JPEG 2000"
    if container := container_kind(data[:HEAD]):
        return container
    if data[:2] == b"BM" and len(data) > 26:
        return "BMP"
    return "PNM" if data[:1] == b"P" and data[1:2] in b"123456" and data[2:3].isspace() else None
