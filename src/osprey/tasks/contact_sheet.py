"""A contact sheet: photos in rows, boxes drawn, a label below each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from osprey.data.manifest import Manifest
from osprey.imaging import Preprocess, read_image
from osprey.imaging.boxes import Boxes
from osprey.imaging.deep import Range
from osprey.imaging.drawing import TRUE_BOX, outlined

_SIDE, _GAP, _STRIP = 224, 4, 20  # pixels of a tile, between tiles, of a label


class Tile(NamedTuple):
    """One picture of the sheet.

    Attributes:
        image: uint8 [H, W, 3].
        boxes: float32 [N, 4], corners in its pixels, or None.
        text: What is said below it.
    """

    image: NDArray[np.uint8]
    boxes: Boxes | None
    text: str

    @classmethod
    def of_photo(
        cls, manifest: Manifest, row: int, text: str, value_range: Range | None = None
    ) -> Tile:
        """A photo as it is, with its boxes where it has any; deep ones by a range.

        Raises:
            UnreadableImage: The file cannot be decoded.
        """
        path = manifest.root / str(manifest.table["path"].iat[row])
        image = read_image(path, value_range=value_range)
        boxes = manifest.boxes(row)[0] if "boxes" in manifest.table else None
        return cls(image, boxes, text)


def contact_sheet(rows: Sequence[Sequence[Tile]]) -> Image.Image:
    """Draw a sheet.

    Args:
        rows: Tiles, as many in each row; their aspect is kept.

    Returns:
        RGB.
    """
    across, down = _SIDE + _GAP, _SIDE + _STRIP + _GAP
    size = (max(map(len, rows)) * across + _GAP, len(rows) * down + _GAP)
    sheet = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(13)
    for y, row in enumerate(rows):
        for x, tile in enumerate(row):
            left, top = _GAP + x * across, _GAP + y * down
            sheet.paste(Image.fromarray(_square(tile)), (left, top))
            draw.text((left + 2, top + _SIDE + 2), _fitted(tile.text, font), "black", font)
    return sheet


def _square(tile: Tile) -> NDArray[np.uint8]:
    """The picture within a square, its boxes drawn."""
    form = Preprocess(_SIDE, "letterbox")
    square = form(np.ascontiguousarray(tile.image))
    if tile.boxes is None or not len(tile.boxes):
        return square
    place = form.place(*tile.image.shape[:2])
    return outlined(square, place.to_input(np.asarray(tile.boxes, dtype=np.float32)), TRUE_BOX)


def _fitted(text: str, font: Any) -> str:
    """As much of a line as a tile has room for."""
    cut = "\N{HORIZONTAL ELLIPSIS}"
    if font.getlength(text) <= _SIDE:
        return text
    while text and font.getlength(text + cut) > _SIDE:
        text = text[:-1]
    return text + cut
