"""An augmentation policy that transforms a photo's boxes with its pixels."""

from __future__ import annotations

from typing import Any

import numpy as np

from osprey.augmentation.pipeline import Data, Pipeline
from osprey.augmentation.steps import MIN_VISIBLE, Steps, plain
from osprey.data.labelled import Labelled
from osprey.imaging import Preprocess
from osprey.imaging.boxes import areas, clip

_TRIES = 4  # of a policy on a photo until one of its boxes stays in sight
_SHARE = 5  # column of a box's share in sight; before it corners and class


class BoxPolicy:
    """`Policy` for photos with boxes: the same steps, the same seeds.

    A box is clipped at the photo's border, and dropped once less than a quarter of it is visible. A
    photo with boxes never loses all of them: the steps are drawn again, and after the fourth time
    only `Preprocess` is applied. Photos without boxes are transformed like any others.

    Args:
        steps: See `Policy`; crops that keep boxes whole are allowed as well.
        preprocess: Size and resize mode of the model's input.

    Raises:
        ConfigError: A step or parameter is unknown or refused, or a step would misplace boxes.
    """

    def __init__(self, steps: Steps, preprocess: Preprocess) -> None:
        self._steps: Steps = plain(steps)
        self.preprocess = preprocess
        self._pipeline = Pipeline(steps, preprocess.size, boxes=True)

    def __reduce__(self) -> tuple[type[BoxPolicy], tuple[Steps, Preprocess]]:
        """Pickle the recipe alone, so that a spawned worker builds its own generators."""
        return BoxPolicy, (self._steps, self.preprocess)

    def __repr__(self) -> str:
        """Everything that determines the result, the same in every process."""
        return f"BoxPolicy({self._steps!r}, {self.preprocess!r})"

    def decode_side(self) -> int:
        """The ``min_side`` for `osprey.imaging.decode` in training; see `Policy.decode_side`."""
        sized = self._pipeline.sized
        return 2 * self.preprocess.size if sized else self.preprocess.decode_side

    def __call__(self, photo: Labelled, seed: int) -> Labelled:
        """Augment one photo.

        Args:
            photo: Any size from 1 x 1 on; not modified.
            seed: 0 or more; the same photo and seed give the same pixels and boxes in any process.

        Returns:
            Contiguous uint8 [size, size, 3] and its boxes, each at least a pixel wide and high. A
            mirrored border may show a box twice.

        Raises:
            ConfigError: A step fails on this photo or does not return uint8 RGB.
        """
        if not self._pipeline.sized:
            photo = self._brought_to_size(photo)
        if not self._pipeline:
            return photo
        self._pipeline.seed(seed)
        for _ in range(_TRIES):
            done = self._augmented(photo)
            if len(done.boxes) or not len(photo.boxes):
                return done
        return self._brought_to_size(photo)

    def _augmented(self, photo: Labelled) -> Labelled:
        height, width = photo.image.shape[:2]
        # Albumentations' own form: shares of the sides, then what belongs to each box.
        rows = np.ones((len(photo.boxes), _SHARE + 1), dtype=np.float32)
        rows[:, :4] = clip(photo.boxes, width, height) / (width, height, width, height)
        rows[:, 4] = photo.labels
        data: Data = {
            "image": np.ascontiguousarray(photo.image),
            "bboxes": rows[areas(rows[:, :4]) > 0],
        }
        with np.errstate(
            all="ignore"
        ):  # albumentations divides by the area of boxes within a pixel
            data = self._pipeline(data, after=_cut)
        image, rows = data["image"], data["bboxes"]
        height, width = image.shape[:2]
        boxes = (rows[:, :4] * (width, height, width, height)).astype(np.float32)
        done = self._brought_to_size(Labelled(image, boxes, rows[:, 4].astype(np.int64)))
        seen = (done.boxes[:, 2:] - done.boxes[:, :2]).min(axis=1, initial=np.inf) >= 1
        return Labelled(done.image, done.boxes[seen], done.labels[seen])

    def _brought_to_size(self, photo: Labelled) -> Labelled:
        size = self.preprocess.size
        if photo.image.shape == (size, size, 3):
            return photo._replace(image=np.ascontiguousarray(photo.image))
        place = self.preprocess.place(*photo.image.shape[:2])
        boxes = clip(place.to_input(photo.boxes), size, size)
        return Labelled(self.preprocess(photo.image), boxes, photo.labels)


def _cut(data: Data) -> None:
    """Cut boxes at the photo's border; drop those of which too little has stayed in sight."""
    rows: Any = np.asarray(data["bboxes"], dtype=np.float32).reshape(-1, _SHARE + 1)
    before = areas(rows[:, :4])
    rows[:, :4] = clip(rows[:, :4], 1, 1)
    after = areas(rows[:, :4])
    rows[:, _SHARE] *= after / np.maximum(before, 1e-12)
    data["bboxes"] = rows[(after > 0) & (rows[:, _SHARE] >= MIN_VISIBLE)]
