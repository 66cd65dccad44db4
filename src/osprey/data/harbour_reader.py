"""The readers of the embedded set."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from osprey.config.schema import DataConfig
from osprey.data.manifest import Manifest, complete
from osprey.errors import DataError


def read_harbour(config: DataConfig, notices: list[str]) -> Manifest:
    """The embedded set: rendered on first use, then read like any table.

    Args:
        config: The data section of the configuration.
        notices: Not used.

    Returns:
        The manifest.

    Raises:
        DataError: ``data.root`` holds something else.
        UserError: It holds a harbour set of other settings, or an incomplete one.
    """
    root = _rendered_harbour(config)
    return complete(pd.read_csv(root / "manifest.csv", dtype=str), root, "harbour")


def _rendered_harbour(config: DataConfig) -> Path:
    from osprey.data.harbour import render_harbour

    root = Path(config.root)
    if root.is_dir() and not (root / "meta.json").exists() and any(root.iterdir()):
        raise DataError(
            f"data.root: '{root}' is no harbour set; for your own photos add data=folder"
        )
    return render_harbour(root, seed=config.render_seed, count=config.render_count)


def read_harbour_boxes(config: DataConfig, notices: list[str]) -> Manifest:
    """The embedded set with boxes around its fish; photos without a fish have none."""
    from osprey.data.formats.reading import read_boxes_of

    manifest = read_harbour(config, notices)
    return read_boxes_of(manifest, manifest.root / "boxes.json")
