"""Boxes and their names drawn on a photo, readable on any background."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from osprey.imaging.boxes import Boxes

Colour = tuple[int, int, int]

# Distinct in hue and in lightness, safe for colour-blind readers (Okabe and Ito 2008).
COLOURS: tuple[Colour, ...] = (
    *((230, 159, 0), (86, 180, 233), (0, 158, 115), (240, 228, 66)),
    *((0, 114, 178), (213, 94, 0), (204, 121, 167), (255, 255, 255)),
)

# Told apart by colour-blind eyes and on most photos; the pages' legends name them.
TRUE_BOX, FOUND_BOX, FALSE_BOX = (53, 208, 192), (255, 154, 46), (255, 95, 196)
_EDGE = (20, 24, 28)


def draw_boxes(
    photo: NDArray[np.uint8], boxes: Boxes, texts: Sequence[str], ids: Sequence[int]
) -> NDArray[np.uint8]:
    """Draw boxes and a label above each on a copy of a photo.

    Args:
        photo: uint8 [H, W, 3], RGB.
        boxes: float32 [N, 4], corners in its pixels, highest score first; the first is drawn on
            top.
        texts: N labels.
        ids: N numbers that choose the colour, such as the class id.

    Returns:
        uint8 [H, W, 3]; lines and letters scale with the photo.
    """
    picture = np.ascontiguousarray(photo).copy()
    side = min(photo.shape[:2])
    line, letters = max(1, round(side / 250)), max(10, round(side / 28))
    corners = np.round(boxes).astype(int).tolist()
    # The first have the highest scores; they are drawn last, on top.
    each = list(zip(corners, texts, ids, strict=True))[::-1]
    for (x, y, right, bottom), _, number in each:
        low, high = (x, y), (max(x, right - 1), max(y, bottom - 1))
        # A dark rim sets the line off from a bright background.
        cv2.rectangle(picture, low, high, (0, 0, 0), line + 2)
        cv2.rectangle(picture, low, high, COLOURS[number % len(COLOURS)], line)
    for (x, y, _, bottom), text, number in each:
        tag = _tag(text, letters, COLOURS[number % len(COLOURS)])
        above = y - tag.shape[0]
        _paste(picture, tag, x, above if above >= 0 else min(y, bottom - tag.shape[0]))
    return picture


@lru_cache(maxsize=1024)  # frames of a video have the same names again and again
def _tag(text: str, letters: int, colour: Colour) -> NDArray[np.uint8]:
    """A name on a plate of its box's colour, uint8 [h, w, 3]."""
    pad = max(2, letters // 5)
    dark = 0.299 * colour[0] + 0.587 * colour[1] + 0.114 * colour[2] < 128
    ink = (255, 255, 255) if dark else (0, 0, 0)
    if hasattr(cv2, "FontFace"):  # from OpenCV 5 on: Latin, Greek and Cyrillic letters
        face, room = cv2.FontFace("sans"), (16 * letters * max(1, len(text)), 4 * letters)
        _, _, width, _ = cv2.getTextSize(room, text, (0, 0), face, letters)
        plate = np.full((letters + 2 * pad, width + 2 * pad, 3), colour, np.uint8)
        cv2.putText(plate, text, (pad, pad + round(0.8 * letters)), ink, face, letters)
        return plate
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    scale, thick = letters / 30, max(1, letters // 15)
    (width, _), _ = cv2.getTextSize(plain, cv2.FONT_HERSHEY_SIMPLEX, scale, thick)
    plate = np.full((letters + 2 * pad, width + 2 * pad, 3), colour, np.uint8)
    origin = (pad, pad + round(0.8 * letters))
    cv2.putText(plate, plain, origin, cv2.FONT_HERSHEY_SIMPLEX, scale, ink, thick, cv2.LINE_AA)
    return plate


def _paste(picture: NDArray[np.uint8], tag: NDArray[np.uint8], x: int, y: int) -> None:
    """Lay a plate on the picture, moved inside as far as it fits."""
    height, width = picture.shape[:2]
    x, y = max(0, min(x, width - tag.shape[1])), max(0, min(y, height - tag.shape[0]))
    room = picture[y : y + tag.shape[0], x : x + tag.shape[1]]
    room[:] = tag[: room.shape[0], : room.shape[1]]


def outlined(
    photo: NDArray[np.uint8], boxes: Boxes, colour: Colour, thick: int = 1
) -> NDArray[np.uint8]:
    """Draw boxes on a copy of a photo, each with a dark edge for contrast.

    Args:
        photo: uint8 [H, W, 3], RGB.
        boxes: float32 [N, 4], corners in its pixels.
        colour: RGB, 0 to 255.
        thick: Line width in pixels.

    Returns:
        uint8 [H, W, 3].
    """
    sheet = Image.fromarray(photo)
    draw = ImageDraw.Draw(sheet)
    for box in boxes:
        x, y, x2, y2 = (round(float(v)) for v in box)
        x2, y2 = max(x, x2 - 1), max(y, y2 - 1)  # the last pixel inside
        edge = 1 if thick == 1 else thick + 2  # round thin boxes, on both sides of thick ones
        draw.rectangle((x - 1, y - 1, x2 + 1, y2 + 1), outline=_EDGE, width=edge)
        draw.rectangle((x, y, x2, y2), outline=colour, width=thick)
    return np.asarray(sheet)
