"""iWildCam as the WILDS benchmark lays it out: metadata.csv, categories.csv, photos in train/."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from osprey.config.schema import DataConfig
from osprey.data.folders import existing_folder
from osprey.data.manifest import Manifest, complete
from osprey.data.table_reader import check_paths, without_missing
from osprey.data.tables import load_table
from osprey.errors import DataError
from osprey.system.console import counted

_SPLITS = {"train": "train", "val": "val", "test": "test"}  # by places; id_val and id_test are not
_GROUPS = ("location_remapped", "location")


def read_wilds(config: DataConfig, notices: list[str]) -> Manifest:
    """Read iWildCam's metadata in the form of WILDS.

    Its ``id_val`` and ``id_test`` are photos of places that train has too; they are left out.

    Args:
        config: The data section of the configuration.
        notices: Lines for the user are appended here.

    Returns:
        The manifest, with places as groups.

    Raises:
        DataError: A table or a photo is missing.
    """
    root = existing_folder(config.root)
    file = root / (config.file or "metadata.csv")
    if not file.is_file():
        raise DataError(f"there is no '{file}': data.root is the folder that holds metadata.csv")
    table = load_table(file)
    for column in ("filename", "split", "y"):
        if column not in table:
            have = ", ".join(map(str, table.columns))
            raise DataError(f"'{file}' has no column '{column}', as WILDS has it (it has: {have})")
    inside = ~table["split"].isin(list(_SPLITS))
    if inside.any():
        names = " and ".join(sorted(set(table["split"][inside])))
        notices.append(
            f"left out, of the splits {names} (places that train has too): "
            f"{counted(int(inside.sum()), 'photo')}"
        )
    table = table[~inside].copy()
    folder = "train/" if (root / "train").is_dir() else ""
    table["path"] = folder + table["filename"]
    table["label"] = _names(root / "categories.csv", table["y"])
    place = next((name for name in _GROUPS if name in table), None)
    if place is not None:
        table["group"] = table[place]
    if config.missing == "skip":
        table = without_missing(table, root, file, notices)
    manifest = complete(table.drop(columns=["filename"]), root, f"'{file}'")
    check_paths(manifest, file)
    return manifest


def _names(file: Path, numbers: pd.Series[str]) -> pd.Series[str]:
    """The classes' names, where categories.csv has them."""
    if not file.is_file():
        return numbers
    table = load_table(file)
    if not {"y", "name"} <= set(table.columns):
        raise DataError(f"'{file}' has no columns 'y' and 'name'")
    found = numbers.map(dict(zip(table["y"], table["name"], strict=True)))
    if found.isna().any():
        raise DataError(f"'{file}' has no class {numbers[found.isna()].iloc[0]}")
    return found
