"""Comparison of runs of one model and data set, split by group or at random."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from osprey.data.manifest import Manifest
from osprey.runs.folder import RunFolder


def comparable_key(data: str, model: str, manifest: Manifest) -> dict[str, Any]:
    """What two comparable runs have in common, and whether groups were kept together.

    Args:
        data: Folder of its photos.
        model: Name of its network.
        manifest: Its samples.

    Returns:
        ``data``, ``model`` and ``grouped``.
    """
    table = manifest.table
    whole = manifest.has_groups and int(table.groupby("group")["split"].nunique().max()) == 1
    return {"data": data, "model": model, "grouped": whole}


def other_split(
    run: RunFolder, runs: Path, summary: dict[str, Any], keys: Sequence[str]
) -> dict[str, Any] | None:
    """Test metrics of the newest comparable run that was split the other way (by group or not).

    Args:
        run: This run.
        runs: Folder of all runs.
        summary: This run's summary, with ``kin`` and ``classes``.
        keys: Keys of the metrics to return.

    Returns:
        ``by`` (``group`` or ``random``), ``run`` and ``test``; None if there is no such run.
    """
    mine = summary["kin"]
    wanted = {**mine, "grouped": not mine["grouped"]}
    task = summary["task"]
    try:
        files = [p for p in runs.glob("*/*/summary.json") if p.parent.name != run.path.name]
    except OSError:  # folders that vanish while they are listed
        return None
    for file in sorted(files, key=_written, reverse=True):
        try:
            other = json.loads(file.read_text(encoding="utf-8"))
            if (
                other["task"] != task
                or other["kin"] != wanted
                or other["classes"] != summary["classes"]
            ):
                continue
            test = {name: _number(other["test"][name]) for name in keys}
        except Exception:  # another run's file must not make this one fail
            continue
        by = "group" if wanted["grouped"] else "random"
        return {"by": by, "run": str(file.parent.relative_to(runs)), "test": test}
    return None


def _written(file: Path) -> tuple[int, str]:
    """When, 0 where it was deleted meanwhile; then the name."""
    try:
        return file.stat().st_mtime_ns, str(file)
    except OSError:
        return 0, str(file)


def _number(value: Any) -> int | float:
    if isinstance(value, int | float):
        return value
    raise ValueError(f"{value!r} is no figure")
