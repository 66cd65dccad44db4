"""A list of steps, reproducible: the same seed and photo give the same result."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from osprey.augmentation.building import SIZING, build
from osprey.augmentation.steps import Steps, names_in, parse
from osprey.errors import ConfigError

Data = dict[str, Any]


class Pipeline:
    """Albumentations steps that share one pair of random generators.

    However deeply steps are nested, reseeding is two assignments per photo instead of a tree walk.
    Not thread-safe.

    Args:
        steps: See `Policy`.
        size: Side of the model's input in pixels, filled in where a step determines the output
            size.
        boxes: The steps must support boxes.

    Raises:
        ConfigError: A step or parameter is unknown or refused.
    """

    def __init__(self, steps: Steps, size: int, *, boxes: bool = False) -> None:
        parsed = parse(steps, boxes=boxes)
        self.sized = bool(names_in(parsed) & SIZING)
        self._python = random.Random(0)
        self._bits = np.random.PCG64(0)
        self._state: Any = self._bits.state
        self._transforms = build(parsed, size) if parsed else []
        shared = np.random.Generator(self._bits)
        for transform in self._transforms:
            transform.set_random_state(shared, self._python)

    def __bool__(self) -> bool:
        """Whether there is any step."""
        return bool(self._transforms)

    def seed(self, seed: int) -> None:
        """Reseed both generators.

        Args:
            seed: 0 or more.
        """
        self._python.seed(int(seed))
        self._state["state"]["state"] = self._python.getrandbits(128)
        self._bits.state = self._state

    def __call__(self, data: Data, after: Callable[[Data], None] = lambda _: None) -> Data:
        """Apply every step.

        Args:
            data: ``image`` uint8 [H, W, 3], contiguous, not modified; and ``bboxes``, if any.
            after: Called with the result of each step.

        Returns:
            The result of the last step.

        Raises:
            ConfigError: A step fails on this photo or does not return uint8 RGB.
        """
        for transform in self._transforms:
            data = _applied(transform, data)
            after(data)
        return data


def _applied(transform: Any, data: Data) -> Data:
    name = type(transform).__name__
    try:
        result: Data = transform(**data)
    except Exception as error:
        why = " ".join(str(error).split())[:160]
        height, width = data["image"].shape[:2]
        raise ConfigError(
            f"augmentation step '{name}' failed on a {width} x {height} image: {why}"
        ) from None
    image: NDArray[np.uint8] = result["image"]
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        form = f"{image.dtype} {list(image.shape)}"
        raise ConfigError(f"augmentation step '{name}' must return uint8 RGB, not {form}")
    return result
