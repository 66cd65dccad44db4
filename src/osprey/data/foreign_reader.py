"""Readers of the user's own: any function that gives a table of samples."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from osprey.config.schema import DataConfig
from osprey.data.folders import existing_folder
from osprey.data.manifest import Manifest, complete
from osprey.errors import DataError
from osprey.system.instantiate import arguments_of, call
from osprey.system.targets import check_arguments, import_target, provided

_KEY = "data.reader"


def read_foreign(config: DataConfig, node: Mapping[str, Any]) -> Manifest:
    """Call the function that ``data.reader._target_`` names.

    It receives ``root`` (a Path) and, where its signature has them, ``file``, ``columns``,
    ``filter`` and ``classes``; the node's other keys are its own arguments. It returns a pandas
    DataFrame with ``path`` (relative to the root) and ``label``, optionally ``split``, ``group``,
    ``weight`` and any other columns, or a `Manifest`.

    Args:
        config: The data section of the configuration.
        node: ``data.reader``, with ``_target_``.

    Returns:
        The manifest, checked by `complete`.

    Raises:
        ConfigError: It cannot be imported or called.
        DataError: What it returns is not a table of samples, or is empty.
    """
    target = str(node.get("_target_"))
    found = import_target(_KEY, target)
    root = existing_folder(config.root)
    own = arguments_of(node)
    settings = {key: getattr(config, key) for key in ("file", "columns", "filter", "classes")} | {
        "root": root
    }
    extra = {k: v for k, v in provided(found, settings).items() if k not in own}
    check_arguments(_KEY, target, found, own, extra)
    made = call(_KEY, target, found, {**own, **extra})
    if isinstance(made, Manifest):
        return made
    if not isinstance(made, pd.DataFrame):
        raise DataError(
            f"{_KEY}._target_: '{target}' gives a {type(made).__name__}, not a pandas DataFrame "
            "with the columns path and label"
        )
    manifest = complete(made, root, f"{_KEY} '{target}'")
    if manifest.table.empty:
        raise DataError(f"{_KEY}._target_: '{target}' found no samples under '{root}'")
    return manifest
