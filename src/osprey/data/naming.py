"""Names for what is made of photos, each different from all others of its folder."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path


def unique_stems(photos: Iterable[Path]) -> dict[Path, Path]:
    """File names for results made from photos, each different from all others of its folder.

    Upper and lower case are not distinguished, as on the file systems of cameras and desktops.

    Args:
        photos: Paths of the photos.

    Returns:
        Each photo's path without its suffix; with it, where others of the folder share the stem.
    """
    photos = list(photos)
    taken = Counter(_key(photo.with_name(photo.stem)) for photo in photos)
    names = {_key(photo) for photo in photos}
    return {
        photo: photo if taken[stem] > 1 or stem in names else photo.with_name(photo.stem)
        for photo in photos
        for stem in [_key(photo.with_name(photo.stem))]
    }


def _key(path: Path) -> str:
    return path.as_posix().casefold()
