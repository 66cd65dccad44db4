"""An augmentation policy: a pure function of one photo and a seed."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from osprey.augmentation.steps import SIZING, build, names_in, parse, plain
from osprey.errors import ConfigError
from osprey.imaging import Preprocess

Steps = Sequence[Mapping[str, Mapping[str, Any]] | str]


class Policy:
    """Albumentations steps made repeatable, given as plain data.

    Where a step determines the size (such as ``RandomResizedCrop``), the steps get the decoded
    photo; otherwise `Preprocess` brings it to size first, so they see the pixels the model sees.
    Pickles and forks well. One instance must not be called from two threads at once.

    Args:
        steps: ``"Name"`` or ``{"Name": {parameter: value}}``; ``OneOf``, ``SomeOf``,
            ``Sequential`` and ``RandomOrder`` hold steps under ``transforms``. Sizes left out are
            filled in from ``preprocess``. No steps at all means `Preprocess` alone.
        preprocess: size and resize mode of the model's input.

    Raises:
        ConfigError: one line, when a step or parameter is unknown or refused.
    """

    def __init__(self, steps: Steps, preprocess: Preprocess) -> None:
        self._steps: Steps = plain(steps)
        self._preprocess = preprocess
        parsed = parse(steps)
        self._sized = bool(names_in(parsed) & SIZING)
        self._python = random.Random(0)
        self._bits = np.random.PCG64(0)
        self._state: Any = self._bits.state
        self._transforms = build(parsed, preprocess.size) if parsed else []
        # One pair of generators for every step, however deeply nested: reseeding is then two
        # assignments a photo instead of a walk over the tree.
        shared = np.random.Generator(self._bits)
        for transform in self._transforms:
            transform.set_random_state(shared, self._python)

    def __reduce__(self) -> tuple[type[Policy], tuple[Steps, Preprocess]]:
        """Pickle the recipe alone, so that a spawned worker builds its own generators."""
        return Policy, (self._steps, self._preprocess)

    def __repr__(self) -> str:
        """All that decides what it does, the same in every process."""
        return f"Policy({self._steps!r}, {self._preprocess!r})"

    def decode_side(self) -> int:
        """Return the ``min_side`` for `osprey.imaging.decode` in training.

        Twice the input size where the steps crop: a crop of a quarter of the area is still sharp.
        """
        return 2 * self._preprocess.size if self._sized else self._preprocess.decode_side

    def __call__(self, image: NDArray[np.uint8], seed: int) -> NDArray[np.uint8]:
        """Augment one photo.

        Args:
            image: uint8 [H, W, 3], any size from 1 x 1 on; left as it is.
            seed: any whole number from 0 on; the same image and seed give the same pixels in any
                process.

        Returns:
            Contiguous uint8 [size, size, 3].

        Raises:
            ConfigError: when a step fails on this image or does not return uint8 RGB.
        """
        if not self._sized or not self._transforms:
            image = self._preprocess(image)
        if not self._transforms:
            return image
        self._python.seed(int(seed))
        self._state["state"]["state"] = self._python.getrandbits(128)
        self._bits.state = self._state
        image = np.ascontiguousarray(image)
        for transform in self._transforms:
            image = self._apply(transform, image)
        size = self._preprocess.size
        done = image if image.shape == (size, size, 3) else self._preprocess(image)
        return np.ascontiguousarray(done)

    def _apply(self, transform: Any, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        name = type(transform).__name__
        try:
            result: NDArray[np.uint8] = transform(image=image)["image"]
        except Exception as error:
            why = " ".join(str(error).split())[:160]
            size = f"{image.shape[1]} x {image.shape[0]}"
            raise ConfigError(
                f"augmentation step '{name}' failed on a {size} image: {why}"
            ) from None
        if result.dtype != np.uint8 or result.ndim != 3 or result.shape[2] != 3:
            form = f"{result.dtype} {list(result.shape)}"
            raise ConfigError(f"augmentation step '{name}' must return uint8 RGB, not {form}")
        return result


def check_policy(steps: Steps) -> None:
    """Check a policy before a run starts, without importing torch.

    Raises:
        ConfigError: one line, when a step or parameter is unknown or refused.
    """
    Policy(steps, Preprocess(size=224))
