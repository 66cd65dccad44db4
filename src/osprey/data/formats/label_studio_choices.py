"""Labels of whole photos, as Label Studio exports what was chosen for each."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from osprey.config.schema import DataConfig
from osprey.data.folders import existing_folder
from osprey.data.formats.json_file import JsonFile
from osprey.data.formats.label_studio import json_in, photo_of, results_of
from osprey.data.formats.reading import read_detection
from osprey.data.formats.table import Collector
from osprey.data.manifest import Manifest, complete
from osprey.data.missing import skip_missing
from osprey.errors import DataError


def read_label_studio(config: DataConfig, notices: list[str]) -> Manifest:
    """Read an export: labels of photos where it holds choices alone, else boxes.

    Args:
        config: The data section of the configuration.
        notices: Lines for the user are appended here.

    Returns:
        Photos with ``label``, or with boxes (`read_detection`).

    Raises:
        DataError: One line with the file.
    """
    root = existing_folder(config.root)
    named = [Path(config.file), root / config.file] if config.file is not None else [root]
    file = json_in(next((place for place in named if place.exists()), named[-1]))
    found = Collector(root)
    chosen = _chosen(file, found) if file is not None and file.is_file() else {}
    if not chosen:
        return read_detection(config, notices)
    source = f"'{file}'"
    missing = [name for name in chosen if found.photos.find(name) is None]
    skip_missing(missing, len(chosen), config.missing, f"{source}: ", root, notices)
    if missing:
        chosen = {name: labels for name, labels in chosen.items() if name not in set(missing)}
    single = {name: labels[0] for name, labels in chosen.items() if len(labels) == 1}
    found.counts["many"] = len(chosen) - len(single)
    found.tell("several", "tasks annotated more than once, of which the last annotation counts: {}")
    found.tell("skipped", "left out, tasks that nobody annotated: {}")
    found.tell("many", "left out, photos for which several labels were chosen: {}")
    notices += [*found.notices, *found.photos.notice()]
    if not single:
        raise DataError(f"{source} has no photo of a single label")
    rows = [(found.photos.find(name), label) for name, label in single.items()]
    return complete(pd.DataFrame(rows, columns=["path", "label"]), root, source)


def _chosen(file: Path, found: Collector) -> dict[str, list[str]]:
    """The labels chosen for each photo; none if the export holds regions, or no choices.

    Raises:
        DataError: Two tasks are about one photo.
    """
    chosen: dict[str, list[str]] = {}
    for task in JsonFile(file).entries() or ():
        data = task.get("data") if isinstance(task, dict) else None
        if not isinstance(data, dict):
            return {}
        results = results_of(task, found)
        if not results:
            found.counts["skipped"] += 1
            continue
        values = [i.get("value") for i in results[-1] if isinstance(i, dict)]
        labels = _labels(values)
        if labels is None:
            return {}
        name = photo_of(data, found)
        if name in chosen:
            raise DataError(f"'{file}': {name!r} is the photo of two tasks")
        if labels:
            chosen[name] = labels
        else:
            found.counts["skipped"] += 1
    return chosen


def _labels(values: list[Any]) -> list[str] | None:
    """What was chosen; None if anything else was drawn or written."""
    labels: dict[str, None] = {}
    for value in values:
        choices = value.get("choices") if isinstance(value, dict) else None
        if not isinstance(choices, list):
            return None
        labels.update(dict.fromkeys(map(str, choices)))
    return list(labels)
