"""An augmentation policy: a pure function of one photo and a seed."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from osprey.augmentation.pipeline import Pipeline
from osprey.augmentation.steps import Steps, plain
from osprey.imaging import Preprocess


class Policy:
    """Albumentations steps made reproducible, given as plain data.

    Where a step determines the size (such as ``RandomResizedCrop``), the steps get the decoded
    photo; otherwise `Preprocess` is applied first, so they see the model's pixels. Can be pickled
    and forked; not thread-safe.

    Args:
        steps: ``"Name"`` or ``{"Name": {parameter: value}}``; ``OneOf``, ``SomeOf``, ``Sequential``
            and ``RandomOrder`` hold steps under ``transforms``. Sizes left out are filled in from
            ``preprocess``. Without steps only `Preprocess` is applied.
        preprocess: Size and resize mode of the model's input.

    Raises:
        ConfigError: A step or parameter is unknown or refused.
    """

    def __init__(self, steps: Steps, preprocess: Preprocess) -> None:
        self._steps: Steps = plain(steps)
        self._preprocess = preprocess
        self._pipeline = Pipeline(steps, preprocess.size)

    def __reduce__(self) -> tuple[type[Policy], tuple[Steps, Preprocess]]:
        """Pickle the recipe alone, so that a spawned worker builds its own generators."""
        return Policy, (self._steps, self._preprocess)

    def __repr__(self) -> str:
        """Everything that determines the result, the same in every process."""
        return f"Policy({self._steps!r}, {self._preprocess!r})"

    def decode_side(self) -> int:
        """The ``min_side`` for `osprey.imaging.decode` in training, in pixels.

        Twice the input size where the steps crop: a crop of a quarter of the area is still sharp.
        """
        sized = self._pipeline.sized
        return 2 * self._preprocess.size if sized else self._preprocess.decode_side

    def __call__(self, image: NDArray[np.uint8], seed: int) -> NDArray[np.uint8]:
        """Augment one photo.

        Args:
            image: uint8 [H, W, 3], any size from 1 x 1 on; not modified.
            seed: 0 or more; the same image and seed give the same pixels in any process.

        Returns:
            Contiguous uint8 [size, size, 3].

        Raises:
            ConfigError: A step fails on this image or does not return uint8 RGB.
        """
        if not self._pipeline.sized:
            image = self._preprocess(image)
        if not self._pipeline:
            return image
        self._pipeline.seed(seed)
        image = self._pipeline({"image": np.ascontiguousarray(image)})["image"]
        size = self._preprocess.size
        done = image if image.shape == (size, size, 3) else self._preprocess(image)
        return np.ascontiguousarray(done)


def check_policy(steps: Steps, *, boxes: bool = False) -> None:
    """Check a policy before a run starts, without importing torch.

    Args:
        steps: See `Policy`.
        boxes: The steps must support boxes.

    Raises:
        ConfigError: A step or parameter is unknown or refused.
    """
    Pipeline(steps, 224, boxes=boxes)
