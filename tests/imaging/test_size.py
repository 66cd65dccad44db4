"""A photo's size by its header is the size it decodes to."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from conftest import real_data
from PIL import Image

from osprey.errors import UnreadableImage
from osprey.imaging import image_size, read_image


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
