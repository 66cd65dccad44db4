"""Some classes of a data set alone."""

from __future__ import annotations

from osprey.data.manifest import Manifest
from osprey.errors import DataError, nearest


def only_classes(manifest: Manifest, wanted: list[str]) -> Manifest:
    """Keep the samples of these classes; in a detection set, their boxes.

    Args:
        manifest: The samples.
        wanted: Class names.

    Returns:
        The remaining samples.

    Raises:
        DataError: One of them has no sample.
    """
    for name in wanted:
        if name not in manifest.classes:
            hint = nearest(name, manifest.classes)
            raise DataError(f"data.classes: no photo is labelled '{name}'{hint}")
    return manifest.target.keep_classes(manifest, wanted)
