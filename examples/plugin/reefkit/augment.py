"""An augmentation step of our own."""

from __future__ import annotations

from typing import Any

import albumentations as A
import numpy as np
from numpy.typing import NDArray


class MurkyWater(A.ImageOnlyTransform):
    """A blue-green veil over the photo, as thick as the water is murky.

    Args:
        least: Smallest share of the veil.
        most: Largest share of the veil, below 1.
        p: Share of photos that get it.
    """

    def __init__(self, least: float = 0.1, most: float = 0.4, p: float = 0.5) -> None:
        super().__init__(p=p)
        self.least, self.most = least, most

    def get_params(self) -> dict[str, Any]:
        """Draw this photo's share of the veil, from the generator that the seed sets."""
        return {"share": self.py_random.uniform(self.least, self.most)}

    def apply(self, img: NDArray[np.uint8], share: float, **params: Any) -> NDArray[np.uint8]:
        """Photo uint8 [H, W, 3] to photo uint8 [H, W, 3]."""
        veil = np.array([20, 110, 130], dtype=np.float32)
        return ((1 - share) * img + share * veil).astype(np.uint8)
