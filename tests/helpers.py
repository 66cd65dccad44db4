"""Configurations and small data sets that several test files share."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hypothesis import settings
from hypothesis import strategies as st

from osprey.config.compose import CONFIG_DIR
from osprey.config.parse import typed
from osprey.config.schema import DataConfig, TrainConfig
from osprey.data.manifest import Manifest, complete

quick = settings(max_examples=60, deadline=None)
labels_of_many = st.lists(st.sampled_from("abc"), min_size=30, max_size=150)


@cache
def _composed(overrides: tuple[str, ...]) -> TrainConfig:
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(CONFIG_DIR), version_base="1.3"):
        return typed(compose("train", overrides=list(overrides)))


def train_config(*overrides: str) -> TrainConfig:
    """What ``osprey train OVERRIDES...`` would be told."""
    return deepcopy(_composed(overrides))


def data_config(root: Path | str = "nowhere", data: str = "folder", **changes: Any) -> DataConfig:
    """The data section for ``data=DATA data.root=ROOT``, some of its values changed."""
    config = train_config(f"data={data}", "data.root=elsewhere").data
    return replace(config, root=str(root), **changes)


def write_photo(path: Path, level: int = 128, size: tuple[int, int] = (12, 16)) -> Path:
    """One grey photo, lossless unless its name says JPEG."""
    path.parent.mkdir(parents=True, exist_ok=True)
    suffix = path.suffix.lower() or ".png"
    done, encoded = cv2.imencode(suffix, np.full((*size, 3), level, np.uint8))
    assert done
    path.write_bytes(encoded.tobytes())  # not imwrite, which takes no odd names
    return path


def manifest_of(
    labels: Sequence[str],
    groups: Sequence[str] | None = None,
    splits: Sequence[str] | None = None,
) -> Manifest:
    """A manifest of photos that need not exist, one row a label."""
    table = pd.DataFrame({"path": [f"{i}.png" for i in range(len(labels))], "label": labels})
    if groups is not None:
        table["group"] = groups
    if splits is not None:
        table["split"] = splits
    return complete(table, Path("photos"), "photos")


def splits_of(manifest: Manifest) -> list[str]:
    """Each sample's split, in order."""
    return manifest.table["split"].tolist()


def groups_straddle(manifest: Manifest) -> bool:
    """Whether any group stands in more than one split."""
    return bool((manifest.table.groupby("group")["split"].nunique() > 1).any())
