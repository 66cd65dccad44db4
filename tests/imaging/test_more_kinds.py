"""HEIC, AVIF and JPEG 2000 within the limits of other kinds; samples of more than 8 bits."""

from __future__ import annotations

import io
import struct
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, features

from osprey.errors import UnreadableImage, UserError
from osprey.imaging import Preprocess, decode, image_size
from osprey.imaging.deep import levels_of, scaled
from osprey.imaging.size import announced_size

FILES = Path(__file__).parent / "files"
HEIC, TURNED = ((FILES / name).read_bytes() for name in ("photo.heic", "turned.heic"))
CORNERS = [[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255]]
MOST = 178_956_970


def photo() -> Image.Image:
    """Four corners that differ: red, green, blue, white."""
    corners = np.array(CORNERS, dtype=np.uint8).reshape(2, 2, 3)
    return Image.fromarray(corners).resize((64, 48), Image.Resampling.BICUBIC)


def saved(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def encoded(samples: np.ndarray, kind: str) -> bytes:
    """By OpenCV, which writes colours as BGR."""
    stored = samples[..., ::-1] if samples.ndim == 3 else samples
    return cv2.imencode(kind, stored)[1].tobytes()


def corners(pixels: np.ndarray) -> np.ndarray:
    return pixels[[0, 0, -1, -1], [0, -1, 0, -1]].astype(int)


def refusal(data: bytes) -> str:
    with pytest.raises(UnreadableImage) as caught:
        decode(data, name="x.tif")
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("kind", "part"), [("AVIF", "avif"), ("JPEG2000", "jpg_2000")], ids=["avif", "jp2"]
)
def test_kinds_of_pillow(kind: str, part: str) -> None:
    if not features.check(part):
        pytest.skip(f"this Pillow has no {kind}")
    data = saved(photo(), kind)
    assert np.abs(corners(decode(data)) - CORNERS).max() <= 24
    assert announced_size(data) == (64, 48)
    for end in (20, 60, len(data) // 2):
        assert "x.tif: " in refusal(data[:end])


def test_a_turned_avif_is_upright(tmp_path: Path) -> None:
    if not features.check("avif"):
        pytest.skip("this Pillow has no AVIF")
    exif = Image.Exif()
    exif[0x0112] = 6
    (tmp_path / "x.avif").write_bytes(data := saved(photo(), "AVIF", exif=exif))
    pixels = decode(data)
    assert pixels.shape == (64, 48, 3) and image_size(tmp_path / "x.avif") == (48, 64)
    turned = [CORNERS[number] for number in (2, 0, 3, 1)]  # clockwise
    assert np.abs(corners(pixels) - turned).max() <= 24


def test_heic_and_its_turn() -> None:
    pytest.importorskip("pi_heif")
    assert np.abs(corners(decode(HEIC)) - CORNERS).max() <= 24
    pixels = decode(TURNED, min_side=8)
    assert pixels.shape == (64, 48, 3) and pixels.flags.writeable
    assert np.abs(corners(pixels) - [CORNERS[n] for n in (2, 0, 3, 1)]).max() <= 24
    assert image_size(FILES / "turned.heic") == (48, 64)
    assert announced_size(TURNED) == (64, 64)  # as it is coded, of which it shows a part


def test_a_heic_photo_with_another_ending_is_read() -> None:
    pytest.importorskip("pi_heif")
    assert decode(HEIC, name="IMG_1.JPG").shape == (48, 64, 3)


def test_heic_without_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pi_heif", None)
    assert refusal(HEIC) == (
        "x.tif: is a HEIC photo, which an extra of Osprey's reads: "
        "pip install 'osprey-vision[heic]'"
    )
    assert announced_size(HEIC) is None


@pytest.mark.parametrize("kind", ["HEIC", "AVIF", "JPEG2000"])
def test_too_many_pixels_are_refused_by_the_header(kind: str) -> None:
    """The size is changed in the header alone; whoever decoded first would find it damaged."""
    if kind == "HEIC":
        pytest.importorskip("pi_heif")
        data = HEIC
    elif not features.check({"AVIF": "avif", "JPEG2000": "jpg_2000"}[kind]):
        pytest.skip(f"this Pillow has no {kind}")
    else:
        data = saved(photo(), kind)
    large = data
    for sides in ((64, 48), (48, 64), (64, 64)):
        large = large.replace(struct.pack(">II", *sides), struct.pack(">II", 16_000, 16_000))
    assert large != data
    wide = "16000 x 16000 pixels is over the limit of 178 megapixels; shrink it first"
    least = "has more pixels than Osprey decodes; shrink it first"
    assert refusal(large) == f"x.tif: {wide if kind == 'HEIC' else least}"


# ---------------------------------------------------------------- more than 8 bits a sample


@pytest.mark.parametrize("kind", [".png", ".tif"])
@pytest.mark.parametrize("colours", [False, True], ids=["grey", "colours"])
def test_twelve_bits_by_their_range(kind: str, colours: bool) -> None:
    samples = np.linspace(0, 4095, 48, dtype=np.uint16).reshape(6, 8)
    if colours:
        samples = np.stack([samples, samples[::-1], samples[:, ::-1]], axis=2)
    data = encoded(samples, kind)
    assert decode(data).max() == 15  # the high byte: black
    expected = np.rint(samples / 4095 * 255).astype(np.uint8)
    pixels = decode(data, value_range=(0, 4095))
    np.testing.assert_array_equal(pixels, expected if colours else expected[..., None].repeat(3, 2))
    assert pixels.flags.c_contiguous and pixels.flags.writeable
    levels = levels_of(data, MOST)
    assert levels is not None and (levels.low, levels.high, levels.whole) == (0, 4095, True)


@pytest.mark.parametrize("value", [3, 6, 8])
@pytest.mark.parametrize("colours", [False, True], ids=["grey", "colours"])
@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_deep_photos_are_upright(kind: str, colours: bool, value: int) -> None:
    samples = np.arange(24, dtype=np.uint16).reshape(4, 6) * 100
    expected = {3: samples[::-1, ::-1], 6: samples[::-1].T, 8: samples.T[::-1]}[value]
    if colours:
        data = encoded(np.stack([samples] * 3, axis=2), ".png" if kind == "PNG" else ".tif")
        data = turned_png(data, value) if kind == "PNG" else turned_tiff(data, value)
    elif kind == "PNG":
        data = turned_png(encoded(samples, ".png"), value)
    else:
        data = saved(Image.fromarray(samples), "TIFF", tiffinfo={0x0112: value})
    pixels = decode(data, value_range=(0, 2550))
    np.testing.assert_array_equal(pixels[..., 0], np.rint(expected / 10).astype(np.uint8))


def turned_png(data: bytes, value: int) -> bytes:
    """With an eXIf chunk before its pixels."""
    import zlib

    exif = Image.Exif()
    exif[0x0112] = value
    body = b"eXIf" + exif.tobytes().removeprefix(b"Exif\0\0")
    chunk = struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
    place = data.index(b"IDAT") - 4
    return data[:place] + chunk + data[place:]


def turned_tiff(data: bytes, value: int) -> bytes:
    """With another value of the orientation that OpenCV writes or, without one, in a free tag."""
    order = "<" if data[:2] == b"II" else ">"
    (start,) = struct.unpack_from(order + "I", data, 4)
    (count,) = struct.unpack_from(order + "H", data, start)
    entries = [data[start + 2 + 12 * n : start + 14 + 12 * n] for n in range(count)]
    entries = [e for e in entries if struct.unpack_from(order + "H", e)[0] != 0x0112]
    entries.append(struct.pack(order + "HHIHH", 0x0112, 3, 1, value, 0))
    entries.sort(key=lambda e: struct.unpack_from(order + "H", e)[0])
    directory = struct.pack(order + "H", len(entries)) + b"".join(entries) + bytes(4)
    moved = data + bytes(len(data) % 2)
    return moved[:4] + struct.pack(order + "I", len(moved)) + moved[8:] + directory


def test_transparent_deep_colours_lie_on_white() -> None:
    samples = np.full((4, 4, 4), 1000, dtype=np.uint16)
    samples[..., 3] = 0
    data = cv2.imencode(".png", samples)[1].tobytes()
    assert (decode(data, value_range=(0, 65535)) == 255).all()


@pytest.mark.parametrize("colours", [False, True], ids=["grey", "colours"])
def test_floats_need_a_range(colours: bool) -> None:
    samples = np.linspace(-1, 3, 48, dtype=np.float32).reshape(6, 8)
    samples[0, 0] = np.nan
    if colours:
        samples = np.stack([samples, samples + 1, samples], axis=2)
    data = encoded(samples, ".tif")
    assert refusal(data) == (
        "x.tif: has float pixels, whose brightness range is unknown: train with "
        "data.value_range=[LOW,HIGH], or save it as 8 or 16 bit"
    )
    pixels = decode(data, value_range=(0, 2))
    assert pixels.shape == (6, 8, 3)
    assert pixels[0, 0, 0] == 0 and pixels[0, 1, 0] == 0 and pixels[-1, -1, 0] == 255
    assert pixels[3, 4, 0] == round(float(samples.reshape(6, 8, -1)[3, 4, 0]) / 2 * 255)
    levels = levels_of(data, MOST)
    assert levels is not None and not levels.whole and levels.high == samples[1:].max()


def test_signed_numbers_need_a_range() -> None:
    data = saved(Image.fromarray(np.full((4, 4), -6, dtype=np.int32)), "TIFF")
    assert "has 32-bit pixels, whose brightness range is unknown" in refusal(data)
    assert (decode(data, value_range=(-10, 0))[..., 0] == 102).all()


def test_a_range_leaves_photos_of_eight_bits_alone() -> None:
    for kind in ("PNG", "JPEG", "TIFF", "WEBP"):
        data = saved(photo(), kind)
        np.testing.assert_array_equal(decode(data), decode(data, value_range=(0, 4095)))
        assert levels_of(data, MOST) is None


def test_a_large_float_picture_is_refused_by_its_header() -> None:
    data = encoded(np.zeros((6, 8, 3), dtype=np.float32), ".tif")
    width, height = data.count(struct.pack("<HHII", 0x100, 4, 1, 8)), 0
    if width:
        data = data.replace(
            struct.pack("<HHII", 0x100, 4, 1, 8), struct.pack("<HHII", 0x100, 4, 1, 90_000)
        ).replace(struct.pack("<HHII", 0x101, 4, 1, 6), struct.pack("<HHII", 0x101, 4, 1, 90_000))
        height = 1
    else:
        data = data.replace(
            struct.pack("<HHIHH", 0x100, 3, 1, 8, 0), struct.pack("<HHIHH", 0x100, 3, 1, 60_000, 0)
        ).replace(
            struct.pack("<HHIHH", 0x101, 3, 1, 6, 0), struct.pack("<HHIHH", 0x101, 3, 1, 60_000, 0)
        )
    side = 90_000 if height else 60_000
    assert refusal(data) == (
        f"x.tif: {side} x {side} pixels is over the limit of 178 megapixels; shrink it first"
    )
    assert levels_of(data, MOST) is None


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.floats(width=32, allow_nan=True, allow_infinity=True), min_size=1, max_size=30),
    st.floats(-1e6, 1e6),
    st.floats(1e-3, 1e6),
)
def test_scaled_is_monotonic_and_within_bytes(
    values: list[float], low: float, width: float
) -> None:
    finite = np.sort(np.array([v for v in values if np.isfinite(v)] or [0.0], dtype=np.float32))
    pixels = scaled(finite[None], (low, low + width))
    assert pixels.dtype == np.uint8 and (np.diff(pixels[0, :, 0].astype(int)) >= 0).all()
    assert scaled(np.array(values, dtype=np.float32)[None], (low, low + width)).shape[2] == 3


def test_the_range_travels_in_preprocess() -> None:
    plain = Preprocess(32).to_dict()
    assert "value_range" not in plain  # an Osprey of before reads it
    form = Preprocess.from_dict({**plain, "value_range": [0, 4095]})
    assert form.value_range == (0.0, 4095.0) == Preprocess.from_dict(form.to_dict()).value_range
    for wrong in ([4095, 0], [1], "ab", [0, float("nan")], [0, "x"]):
        with pytest.raises(UserError, match=r"^preprocess: value_range must"):
            Preprocess.from_dict({**plain, "value_range": wrong})
