"""Two photos compared closely: laid over each other, are they one picture?"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from osprey.doctor.hashing import WHOLE, Window, oriented
from osprey.errors import UnreadableImage
from osprey.imaging import read_image
from osprey.imaging.deep import Range

_SIDE = 64  # pixels at which two photos are compared closely
_CLOSE, _FINE = 0.95, 0.75  # least correlation there, of the photos and of their details
_MOVED, _MOVED_FINE = 0.88, 0.4  # likewise, when only moved over each other
_SKEW, _OVER, _LEAST_SIDE = 0.03, 1.5, 0.85  # of what is cut: shares, pixels of 64, share
_HUE = 8.0  # levels by which colours may differ on average
_DETAIL = 3.0  # pixels: what is broader is no detail


@dataclass(frozen=True)
class SmallPhoto:
    """A photo as it is compared: uint8 [64, 64] and [64, 64, 3]."""

    grey: NDArray[np.uint8]
    colour: NDArray[np.uint8]

    def oriented(self, orientation: int) -> SmallPhoto:
        """The photo mirrored and turned."""
        return SmallPhoto(oriented(self.grey, orientation), oriented(self.colour, orientation))


def small_of(path: Path, value_range: Range | None = None) -> SmallPhoto | None:
    """Read a photo to compare it; None where it cannot be read any more."""
    try:
        pixels = read_image(path, min_side=2 * _SIDE, value_range=value_range)
    except UnreadableImage:  # gone meanwhile
        return None
    small = np.asarray(cv2.resize(pixels, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA), np.uint8)
    return SmallPhoto(np.asarray(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY), np.uint8), small)


def same_picture(first: SmallPhoto, other: SmallPhoto, orientation: int, window: Window) -> bool:
    """Whether one photo, mirrored and turned, or a part of it, is the other.

    The two are laid over each other (ECC, Evangelidis and Psarakis 2008), then their details and
    their colours are compared.

    Args:
        first: One photo.
        other: The other.
        orientation: How the first is mirrored and turned before, see `oriented`.
        window: About which part of it the other shows.
    """
    one = first.oriented(orientation)
    whole = np.eye(2, 3, dtype=np.float32)
    if window == WHOLE and _one_picture(one, other, whole):
        return True
    x, y, side = window
    place = np.array([[side, 0, x * _SIDE], [0, side, y * _SIDE]], dtype=np.float32)
    cut = _laid(one.grey, place)  # moved first, which is quick and rules nearly all out
    moved, shift = _aligned(cut, other.grey, whole, cv2.MOTION_TRANSLATION)
    if moved < _MOVED or _fine(_laid(cut, shift), other.grey) < _MOVED_FINE:
        return False
    place[:, 2] += side * shift[:, 2]
    close, place = _aligned(one.grey, other.grey, place, cv2.MOTION_AFFINE)
    return close >= _CLOSE and _is_cut(place) and _one_picture(one, other, place)


def _one_picture(one: SmallPhoto, other: SmallPhoto, place: NDArray[np.float32]) -> bool:
    """Whether two photos, one laid over the other, agree in details and in colours."""
    if _fine(_laid(one.grey, place), other.grey) < _FINE:
        return False
    both = np.stack([_laid(one.colour, place), other.colour]).astype(np.float32)
    hues = both[..., ::2] - both[..., 1:2]  # red and blue less green, which light changes little
    broad = [cv2.GaussianBlur(hue, (0, 0), _DETAIL) for hue in hues]  # JPEG keeps colours coarsely
    return float(np.abs(broad[0] - broad[1]).mean()) <= _HUE


def _aligned(
    one: NDArray[np.uint8], other: NDArray[np.uint8], place: NDArray[np.float32], motion: int
) -> tuple[float, NDArray[np.float32]]:
    """Lay one picture over the other: their correlation then, and where it came to lie."""
    steps = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 30, 1e-3)
    try:
        close, found = cv2.findTransformECC(other, one, place, motion, steps)
    except cv2.error:  # nothing to hold on to
        return 0.0, place
    return float(close), np.asarray(found, dtype=np.float32)


def _laid(one: NDArray[np.uint8], place: NDArray[np.float32]) -> NDArray[np.uint8]:
    how = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    laid = cv2.warpAffine(one, place, (_SIDE, _SIDE), flags=how, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(laid, dtype=np.uint8)


def _is_cut(place: NDArray[np.float32]) -> bool:
    """Whether a transform is one that cutting makes: not turned, scaled alike, within the photo."""
    (across, skew, x), (lean, down, y) = place.tolist()
    straight: bool = max(abs(skew), abs(lean)) <= _SKEW and abs(across - down) <= _SKEW
    inside = min(x, y) >= -_OVER and max(x + across * _SIDE, y + down * _SIDE) <= _SIDE + _OVER
    return bool(straight and inside and min(across, down) >= _LEAST_SIDE)


def _fine(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> float:
    """Correlation of the details of two pictures."""
    both = np.stack([one, other]).astype(np.float32)
    details = np.stack([picture - cv2.GaussianBlur(picture, (0, 0), _DETAIL) for picture in both])
    units = units_of(details)
    return float(units[0] @ units[1])


def units_of(pictures: NDArray[np.float32]) -> NDArray[np.float32]:
    """Each picture as a vector of mean 0 and length 1, float32 [N, H * W]."""
    flat = pictures.reshape(len(pictures), pictures.shape[1] * pictures.shape[2])
    flat = flat - flat.mean(axis=1, keepdims=True)
    units = flat / np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1e-6)
    return np.asarray(units, dtype=np.float32)
