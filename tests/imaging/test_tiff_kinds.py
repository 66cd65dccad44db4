"""TIFFs whose pixels Pillow and OpenCV take for others: read right, or refused with the remedy."""

from __future__ import annotations

import struct

import numpy as np
import pytest

from osprey.errors import UnreadableImage
from osprey.imaging import decode
from osprey.imaging.deep import levels_of

SHORT, LONG = 3, 4
RAMP = np.arange(12, dtype=np.uint16).reshape(3, 4) * 5957  # 0 to 65,527


def tiff(samples: np.ndarray, *, white: int = 1, planes: int = 1, kind: int = 1) -> bytes:
    """An uncompressed little-endian TIFF: [H, W], [H, W, C], or [C, H, W] of planes."""
    channels = 1 if samples.ndim == 2 else samples.shape[0 if planes == 2 else 2]
    height, width = samples.shape[1:] if planes == 2 else samples.shape[:2]
    body, parts = samples.tobytes(), channels if planes == 2 else 1
    tags = {
        **{256: (LONG, [width]), 257: (LONG, [height])},
        258: (SHORT, [samples.itemsize * 8] * channels),
        **{259: (SHORT, [1]), 262: (SHORT, [white])},
        273: (LONG, [8 + len(body) // parts * part for part in range(parts)]),
        **{277: (SHORT, [channels]), 278: (LONG, [height])},
        279: (LONG, [len(body) // parts] * parts),
        **{284: (SHORT, [planes]), 339: (SHORT, [kind] * channels)},
    }
    start = 8 + len(body)
    after, entries, extra = start + 6 + 12 * len(tags), b"", b""
    for tag, (form, values) in tags.items():
        packed = struct.pack(f"<{len(values)}{'H' if form == SHORT else 'I'}", *values)
        if len(packed) > 4:
            extra, packed = extra + packed, struct.pack("<I", after + len(extra))
        entries += struct.pack("<HHI", tag, form, len(values)) + packed.ljust(4, b"\0")
    header = b"II*\0" + struct.pack("<I", start)
    return header + body + struct.pack("<H", len(tags)) + entries + b"\0\0\0\0" + extra


def test_sixteen_bits_with_white_at_zero() -> None:
    upright, negative = decode(tiff(RAMP)), decode(tiff(65_535 - RAMP, white=0))
    assert np.array_equal(upright[..., 0], RAMP >> 8)
    assert np.abs(upright.astype(int) - negative).max() <= 1
    part = RAMP >> 4  # the 12 bits of a camera
    negative = decode(tiff(4095 - part, white=0), value_range=(0, 4095))
    assert np.array_equal(decode(tiff(part), value_range=(0, 4095)), negative)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (tiff(np.stack([RAMP] * 3), white=2, planes=2), "colours of 16 bits in planes"),
        (tiff(np.stack([RAMP] * 5), planes=2), "colours of 16 bits in planes"),
        (tiff(RAMP.astype(np.int8), kind=2), "signed samples of 8 bits"),
        (tiff(np.stack([RAMP] * 7, -1), white=2), "TIFF of 7 samples a pixel of 16 bits"),
    ],
    ids=["planes", "bands", "signed", "samples"],
)
def test_what_would_be_misread_is_refused(data: bytes, said: str) -> None:
    with pytest.raises(UnreadableImage, match=said) as caught:
        decode(data, name="x.tif")
    assert "save it as grey or RGB of 8 or 16 bits" in str(caught.value)
    assert levels_of(data, 1000) is None


def test_planes_of_eight_bits_are_read() -> None:
    eight = (RAMP >> 8).astype(np.uint8)
    pixels = decode(tiff(np.stack([eight, eight // 2, eight // 4]), white=2, planes=2))
    assert np.array_equal(pixels, np.stack([eight, eight // 2, eight // 4], -1))
