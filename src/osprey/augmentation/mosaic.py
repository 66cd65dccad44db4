"""Augmentation of training photos with boxes: mosaic, then the policy's steps."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from osprey.augmentation.box_policy import BoxPolicy
from osprey.augmentation.steps import MIN_VISIBLE
from osprey.data.box_dataset import LabelledPhotos
from osprey.data.labelled import Labelled
from osprey.imaging import Preprocess, resized
from osprey.imaging.boxes import areas, clip

_CENTRE = (0.25, 0.75)  # share of the side at which four photos meet
_ZOOM = (0.5, 1.0)  # of each photo; at 1 it is as large as without a mosaic
_GREY = 114  # as `Preprocess` pads


class BoxAugmentation:
    """A `BoxPolicy`, applied to mosaics for a fraction of the photos.

    Args:
        policy: The steps.
        mosaic: Fraction of photos that become one of four, 0 to 1 (Bochkovskiy et al. 2020,
            arXiv:2004.10934).
        until: Fraction of the training from which on there are none, 0 to 1: the last epochs see
            photos as validation does (Ge et al. 2021, arXiv:2107.08430).
    """

    def __init__(self, policy: BoxPolicy, mosaic: float = 0.0, until: float = 1.0) -> None:
        self.policy = policy
        self.mosaic = mosaic
        self.until = until

    def __repr__(self) -> str:
        """Everything that determines the result, the same in every process."""
        return f"BoxAugmentation({self.policy!r}, {self.mosaic!r}, {self.until!r})"

    def __call__(self, photos: LabelledPhotos, row: int, seed: int, done: float = 0.0) -> Labelled:
        """Make one model input.

        Args:
            photos: All photos of the split.
            row: Row of the photo; a mosaic adds three others drawn by the seed.
            seed: 0 or more.
            done: Fraction of the training before this epoch, 0 to 1.

        Returns:
            uint8 [size, size, 3] and its boxes.

        Raises:
            ConfigError: A step fails on this photo.
            UnreadableImage: A photo cannot be decoded.
        """
        if self.mosaic and done < self.until:
            rng = np.random.default_rng((seed, 1))  # apart from the numbers the steps draw
            if rng.random() < self.mosaic:
                rows = rng.permutation([row, *rng.integers(0, len(photos), 3)])
                four = [photos.labelled(int(row)) for row in rows]
                form, side = self.policy.preprocess, self.policy.decode_side()
                return self.policy(four_in_one(four, form, side, rng), seed)
        return self.policy(photos.labelled(row), seed)


def four_in_one(
    photos: list[Labelled], preprocess: Preprocess, side: int, rng: np.random.Generator
) -> Labelled:
    """Place four photos around a random centre, each as a random crop that fills its quarter.

    Args:
        photos: Top left, top right, bottom left, bottom right; any sizes.
        preprocess: Determines how large a photo appears to the model.
        side: Side of the result in pixels, which becomes the model's whole input.
        rng: Draws the centre, and each photo's zoom and crop.

    Returns:
        uint8 [side, side, 3], grey where a photo is too small for its quarter; boxes clipped at
        their photo's edges, and dropped where less than a quarter is visible.
    """
    across, down = (round(side * x) for x in rng.uniform(*_CENTRE, 2))
    canvas = np.full((side, side, 3), _GREY, dtype=np.uint8)
    boxes, labels = [], []
    for number, photo in enumerate(photos):
        right, low = number % 2, number // 2
        room = (side - across if right else across, side - down if low else down)
        piece = _piece(photo, preprocess, side / preprocess.size, room, rng)
        height, width = piece.image.shape[:2]
        left, top = across - (0 if right else width), down - (0 if low else height)
        canvas[top : top + height, left : left + width] = piece.image
        boxes.append(piece.boxes + np.array([left, top, left, top], dtype=np.float32))
        labels.append(piece.labels)
    return Labelled(canvas, np.concatenate(boxes), np.concatenate(labels))


def _piece(
    photo: Labelled, preprocess: Preprocess, larger: float, room: tuple[int, int],
    rng: np.random.Generator,
) -> Labelled:  # fmt: skip
    """Crop a photo at random so that, zoomed, it fits into ``room`` (width, height)."""
    height, width = photo.image.shape[:2]
    place = preprocess.place(height, width)
    zoom = larger * rng.uniform(*_ZOOM)
    scales = place.scale_x * zoom, place.scale_y * zoom
    starts, cuts, sides = [], [], []
    for length, limit, scale in zip((width, height), room, scales, strict=True):
        cut = min(length, max(1, round(limit / scale)))
        starts.append(int(rng.integers(0, length - cut + 1)))
        cuts.append(cut)
        sides.append(min(limit, max(1, round(cut * scale))))
    (x, y), (cut_width, cut_height) = starts, cuts
    part: NDArray[np.uint8] = photo.image[y : y + cut_height, x : x + cut_width]
    whole = photo.boxes - np.array([x, y, x, y], dtype=np.float32)
    seen = clip(whole, cut_width, cut_height)
    kept = areas(seen) > np.maximum(areas(whole) * MIN_VISIBLE, 1e-9)
    factors = np.tile(np.array(sides) / cuts, 2).astype(np.float32)
    image = resized(part, sides[0], sides[1])
    return Labelled(image, seen[kept] * factors, photo.labels[kept])
