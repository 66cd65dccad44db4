"""Random crops that shrink the way preprocessing does."""

from __future__ import annotations

from typing import Any

from osprey.imaging.resize import resized

RESIZING_CROPS = frozenset({"RandomResizedCrop", "RandomSizedCrop"})


def antialiased(base: Any) -> Any:
    """Return ``base``, one of albumentations' resizing crops, with Osprey's own resizing.

    Plain linear resizing aliases when it shrinks, so a model would train on harsher pixels than
    it meets in validation; albumentations' cure, INTER_AREA, costs three times the whole crop.
    """
    from albumentations.augmentations.crops import functional

    class Antialiased(base):  # type: ignore[misc]
        def apply(self, img: Any, crop_coords: tuple[int, int, int, int], **_: Any) -> Any:
            height, width = self.size
            # Its own crop, for that refuses a box that reaches beyond the photo.
            return resized(functional.crop(img, *crop_coords), width, height)

    Antialiased.__name__ = base.__name__
    return Antialiased
