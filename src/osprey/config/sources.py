"""The sources of ``data=join``: several data sets that one training reads, checked and typed."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from osprey.config.fields import check_choice, check_fields
from osprey.config.groups.data import JOIN, DataConfig
from osprey.config.parse import typed_data
from osprey.errors import ConfigError, nearest
from osprey.system.paths import home_path

# Of the data settings those that say what is read; the others are of one training: the join's own.
READING = (
    *("reader", "root", "source", "file", "columns", "filter", "case", "single_class", "min_score"),
    *("strict", "pixels", "origin", "group", "given_split", "render_count", "render_seed"),
    *("label", "split_names", "weights", "open_last", "missing", "frames", "unpacked"),
)
OWN = ("name", "classes", "weight", "split")
KEY = "data.sources"


@dataclass(frozen=True)
class Source:
    """One data set of a join.

    Attributes:
        name: What it is called in messages, and in the manifest's column ``source``.
        data: How it is read; its ``root`` may be relative to the join's.
        classes: New names of some of its classes; None leaves a class out.
        weight: Factor of its samples' weights in the loss, above 0.
        split: The split of all its samples; empty where it has its own or is cut.
    """

    name: str
    data: DataConfig
    classes: Mapping[str, str | None]
    weight: float
    split: str

    def root(self, joined: str) -> Path:
        """Its folder, absolute.

        Args:
            joined: ``data.root`` of the join.
        """
        return Path(os.path.abspath(home_path(joined) / home_path(self.data.root)))


def sources_of(data: DataConfig) -> list[Source]:
    """The sources of a join, none of other data.

    Args:
        data: Settings whose ``sources`` are mappings, as `expand_sources` makes them.

    Raises:
        ConfigError: One line that names the source and what to do.
    """
    if data.reader != JOIN:
        if data.sources:
            raise ConfigError(f"{KEY} goes with data=join, and data.reader={data.reader} reads one")
        return []
    if not data.sources:
        raise ConfigError(f"{KEY} is empty: name the sets to join, such as {KEY}=[boats,reef]")
    found = [_source(node) for node in data.sources]
    names = [source.name for source in found]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise ConfigError(
            f"{KEY}: two are called '{twice}': give one another name, such as "
            f"{{data: {twice}, name: {twice}2}}"
        )
    return found


def roots_of(data: DataConfig) -> list[Path]:
    """The folders that photos are read from: one, one of each source of a join, or none yet."""
    if data.reader != JOIN:
        return [home_path(data.root)] if data.root else []
    return [source.root(data.root) for source in sources_of(data)]


def place_at(data: DataConfig, root: Path) -> None:
    """Name the folder of all photos, resolved, and the sources' folders from there; in place.

    Args:
        data: The settings of a run, as config.yaml keeps them.
        root: The manifest's, above the roots of all sources.
    """
    if data.reader == JOIN:
        places = [source.root(data.root) for source in sources_of(data)]
        data.sources = [
            {**node, "root": os.path.relpath(place, root)}
            for node, place in zip(data.sources, places, strict=True)
        ]
    data.root = str(root.resolve())


def check_keys(name: str, node: Mapping[str, Any]) -> None:
    """Refuse a key that no source has.

    Raises:
        ConfigError: One line with the nearest key that there is.
    """
    known = (*OWN, *READING)
    for key in node:
        if key in known:
            continue
        if key in {field.name for field in fields(DataConfig)}:
            raise ConfigError(
                f"{KEY}: '{name}' has {key}, which a training has one of: set data.{key}"
            )
        hint = nearest(str(key), known) or f" (it takes {', '.join(known)})"
        raise ConfigError(f"{KEY}: '{name}' has an unknown setting '{key}'{hint}")


def _source(node: Any) -> Source:
    if not isinstance(node, Mapping) or not str(node.get("name") or "").strip():
        raise ConfigError(f"{KEY}: '{node}' is no source: name a data option, or give a mapping")
    name = str(node["name"])
    check_keys(name, node)
    if not node.get("root") or node["root"] == "???":
        raise ConfigError(
            f"{KEY}: '{name}' has no root: say where its photos are, such as "
            f"{{data: {name}, root: FOLDER}}"
        )
    if node.get("reader") in (None, "???"):
        raise ConfigError(f"{KEY}: '{name}' has no reader: say how it is read, such as folder")
    if node["reader"] == JOIN:
        raise ConfigError(f"{KEY}: '{name}' is a join itself: name its sources here")
    classes, wanted = _classes(name, node.get("classes"))
    reading = {key: value for key, value in node.items() if key in READING}
    data = typed_data({**reading, "name": name, "classes": wanted}, f"{KEY}.{name}.")
    check_fields(data, f"{KEY}.{name}.")
    split = node.get("split") or ""
    if split:
        check_choice(f"{KEY}.{name}.split", str(split), ("train", "val", "test"))
    return Source(name, data, classes, _weight(name, node.get("weight", 1)), str(split))


def as_name(value: object) -> str:
    """A class name that YAML took for a number or a truth value, as text again."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _classes(name: str, given: Any) -> tuple[dict[str, str | None], list[str] | None]:
    """New names of classes, and the list of those that are kept; None for all."""
    if given is None:
        return {}, None
    if isinstance(given, list):
        return {}, [as_name(value) for value in given]
    if not isinstance(given, Mapping):
        raise ConfigError(
            f"{KEY}: classes of '{name}' are {{THEIRS: OURS, LEFT_OUT: null}}, not '{given}'"
        )
    new = {as_name(old): None if now is None else as_name(now) for old, now in given.items()}
    empty = next((old for old, now in new.items() if now is not None and not now.strip()), None)
    if empty is not None:
        raise ConfigError(f"{KEY}: class '{empty}' of '{name}' gets no name: null leaves it out")
    return new, None


def _weight(name: str, given: Any) -> float:
    number = isinstance(given, int | float) and not isinstance(given, bool)
    if not number or not 0 < given < math.inf:
        raise ConfigError(f"{KEY}: weight of '{name}' is a number above 0, not '{given}'")
    return float(given)
