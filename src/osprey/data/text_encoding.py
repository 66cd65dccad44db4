"""What bytes are: an archive, or a text in an encoding that it does not say."""

from __future__ import annotations

import codecs
import re

# Chinese in GBK: pairs of bytes, in which the common characters have both above 0xA0.
_PAIRS = re.compile(rb"(?:[\x00-\x7f]|[\xa1-\xf7][\xa1-\xfe])*")
_MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
_PACKED = {b"PK\x03\x04": "ZIP", b"\x1f\x8b": "gzip", b"7z\xbc\xaf": "7z", b"Rar!": "RAR"}
_LOOKED_AT = 4096  # bytes by which UTF-16 without a mark is known


def packed_as(data: bytes) -> str:
    """The kind of archive that a file is, by its first bytes; "" where it is none."""
    return next((kind for start, kind in _PACKED.items() if data.startswith(start)), "")


def guess_encoding(data: bytes) -> str:
    """The encoding that bytes are most likely in.

    Short texts such as labels do not bear statistics: what is neither UTF-8, UTF-16 nor, by its
    pairs of bytes, Chinese is taken for Windows' western European.

    Args:
        data: All of the text.

    Returns:
        ``utf-8``, ``utf-8-sig``, ``utf-16``, ``utf-16-le``, ``utf-16-be``, ``gb18030``, ``cp1252``
        or ``latin-1``.
    """
    for mark, name in _MARKS.items():
        if data.startswith(mark):
            return name
    start = data[:_LOOKED_AT]
    for name, nulls in (("utf-16-le", start[1::2]), ("utf-16-be", start[::2])):
        if len(start) > 3 and nulls.count(0) > 0.7 * len(nulls):
            return name
    for name in ("utf-8", "gb18030" if _PAIRS.fullmatch(data) else "cp1252"):
        try:
            data.decode(name)
        except ValueError:
            continue
        return name
    return "latin-1"
