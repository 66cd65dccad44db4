"""A photo's size by its header is the size it decodes to."""

from __future__ import annotations

import io
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Lock

import numpy as np
import pytest
from conftest import real_data
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from osprey.errors import UnreadableImage
from osprey.imaging import image_size, read_image, size
from osprey.imaging.jpeg_header import HEAD, jpeg_size


def agrees(path: Path) -> tuple[int, int]:
    height, width = read_image(path).shape[:2]
    assert image_size(path) == (width, height)
    return width, height


@pytest.mark.parametrize("kind", ["jpg", "png", "webp", "tiff"])
@pytest.mark.parametrize("orientation", [None, *range(1, 9), 99])
def test_as_shown(tmp_path: Path, kind: str, orientation: int | None) -> None:
    exif = Image.Exif()
    if orientation is not None:
        exif[0x0112] = orientation
    path = tmp_path / f"photo.{kind}"
    Image.fromarray(np.zeros((12, 20, 3), np.uint8)).save(path, exif=exif)
    turned = orientation in (5, 6, 7, 8)
    assert agrees(path) == ((12, 20) if turned else (20, 12))


@given(
    mode=st.sampled_from(["L", "RGB", "CMYK"]),
    width=st.integers(1, 300),
    height=st.integers(1, 300),
    progressive=st.booleans(),
    cut=st.integers(0, 800),
)
@settings(max_examples=40, deadline=None)
def test_the_quick_look_at_a_jpeg_agrees_with_pillow(
    mode: str, width: int, height: int, progressive: bool, cut: int
) -> None:
    picture, made = Image.new(mode, (width, height)), io.BytesIO()
    picture.save(made, "JPEG", progressive=progressive)
    data = made.getvalue()
    assert jpeg_size(data[:HEAD]) == (width, height)
    start = jpeg_size(data[:cut])  # of a header that is cut off nothing is said
    assert start is None or (start == (width, height) and b"\xff\xda" in data[:cut])
    turned, exif = io.BytesIO(), Image.Exif()
    exif[0x0112] = 6
    picture.save(turned, "JPEG", exif=exif)
    assert jpeg_size(turned.getvalue()[:HEAD]) is None  # Pillow reads how it is turned


@pytest.mark.parametrize("kind", ["bmp", "gif", "ppm"])
def test_other_formats(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"photo.{kind}"
    Image.fromarray(np.zeros((12, 20), np.uint8)).save(path)
    assert agrees(path) == (20, 12)


def test_what_is_no_photo(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    with pytest.raises(UnreadableImage, match=r"a\.jpg: no such file"):
        image_size(path)
    path.write_bytes(b"%PDF-1.4")
    with pytest.raises(UnreadableImage, match=r"a\.jpg: is not a picture but a PDF"):
        image_size(path)


@pytest.mark.real_data
def test_awkward_photos() -> None:
    for path in sorted(real_data("awkward_images").glob("*.jpg")):
        try:
            agrees(path)
        except UnreadableImage:
            assert "truncated" in path.name or "corrupt" in path.name


def test_photos_being_decoded_stay_within_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(size, "_AT_ONCE", 10)
    now, most, lock = [0], [0], Lock()

    def decode(pixels: int) -> None:
        with size.turn(pixels, 1):
            with lock:
                now[0] += pixels
                most[0] = max(most[0], now[0])
            time.sleep(0.001)  # lets the others in, where that is allowed
            with lock:
                now[0] -= pixels

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(decode, [3, 5, 2, 4, 6, 1, 8, 3, 2, 5, 4, 10] * 3))
    assert most[0] <= 10 and now[0] == 0
    with size.turn(1000, 1000):  # larger than all there is: alone
        pass
