"""The data set as the checks see it: every photo looked at, each with the split it would have."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from osprey.config.schema import DataConfig
from osprey.data.class_names import KEEP, tidy_class_names
from osprey.data.copies import originals, with_content
from osprey.data.keep_classes import only_classes
from osprey.data.manifest import Manifest
from osprey.data.readers import read_what_can_be_read
from osprey.data.splits import assign_splits, given_splits, groups_of_set
from osprey.data.table_reader import LeftOut
from osprey.data.value_range import measure_levels, resolve_range
from osprey.doctor.likeness import Likeness
from osprey.doctor.looks import Looks, look_at
from osprey.doctor.near import MANY, NearCopy, near_copies
from osprey.errors import DataError
from osprey.imaging.deep import Range

_BLANK = 4.0  # grey levels of contrast below which any two photos are alike


@dataclass
class Survey:
    """What is known of a data set of N photos.

    Attributes:
        config: The data section of the configuration.
        raw: The samples with their class names as they stand in the source.
        manifest: The samples, class names tidied, with group and split; a photo that cannot be
            read, or that training would refuse to split, has the split that the data gives it.
        looks: What one look at each photo found.
        near: What kind of near copies is looked for: ``all``, ``whole`` or ``none``.
        given: Whether the data gives the split; else it is the one that training would cut.
        notices: Lines for the user.
        likeness: What features tell, where they were asked for.
        left_out: Where a table and its folder do not agree.
        value_range: Of samples of more than 8 bits, see `osprey.imaging.decode`.
    """

    config: DataConfig
    raw: Manifest
    manifest: Manifest
    looks: Looks
    near: str
    given: bool
    notices: list[str] = field(default_factory=list)
    likeness: Likeness | None = None
    left_out: LeftOut = field(default_factory=LeftOut)
    value_range: Range | None = None

    @property
    def paths(self) -> list[str]:
        """Each photo's path."""
        return [str(path) for path in self.manifest.table["path"]]

    @property
    def labels(self) -> NDArray[np.str_]:
        """Each photo's class; in a detection set the rarest of its boxes'."""
        return self.manifest.table["label"].to_numpy(dtype=str)

    @property
    def splits(self) -> NDArray[np.str_]:
        """Each photo's split."""
        return self.manifest.table["split"].to_numpy(dtype=str)

    @cached_property
    def readable(self) -> NDArray[np.bool_]:
        """Bool [N]: which photos can be read."""
        return self.looks.readable

    @cached_property
    def firsts(self) -> NDArray[np.int64]:
        """int64 [N]: the row of each photo's first exact copy, its own where it is the first."""
        rows = np.flatnonzero(self.readable)
        first = np.arange(len(self.readable))
        known = originals(with_content(self.manifest.where(pd.Series(self.readable)), self.digests))
        if known is not None:
            first[rows] = rows[known]
        return first

    @property
    def digests(self) -> NDArray[np.uint8]:
        """uint8 [M, 32]: SHA-256 of the readable photos."""
        return self.looks.digests[self.readable]

    @cached_property
    def near_pairs(self) -> list[NearCopy]:
        """Near copies among photos that differ in their bytes and show something."""
        if self.near == "none":
            return []
        alone = self.firsts == np.arange(len(self.firsts))
        rows = np.flatnonzero(self.readable & alone & (self.looks.contrast >= _BLANK))
        paths, whole = self.paths, self.near == "whole"
        found = near_copies(
            self.manifest.root,
            [paths[row] for row in rows],
            self.looks.thumbs[rows],
            turned=not whole,
            cut=not whole,
            value_range=self.value_range,
        )
        return [NearCopy(int(rows[x.first]), int(rows[x.second]), x.how) for x in found]

    def across(self, rows: Sequence[int]) -> bool:
        """Whether photos are in several splits."""
        return len({self.splits[row] for row in rows} - {""}) > 1


def survey(config: DataConfig, near: str, notices: list[str], tiles: int = 0) -> Survey:
    """Read the data set and look at every photo, where training would refuse too.

    Args:
        config: The data section of the configuration.
        near: Of the settings: ``auto``, ``all``, ``whole`` or ``none``.
        notices: Lines for the user are appended here.
        tiles: Photos of which a small picture is kept for the map, at most.

    Returns:
        What is known.

    Raises:
        DataError: The source is missing, empty, or not laid out as the reader expects.
    """
    raw, left_out = read_what_can_be_read(config, notices)
    manifest = tidy_class_names(raw, KEEP, [])
    if config.classes is not None:
        manifest = only_classes(manifest, list(config.classes))
        raw = manifest
    manifest = groups_of_set(manifest, config, notices)
    count = len(manifest.table)
    shown = range(0, count, -(-count // tiles)) if tiles else ()
    paths = [str(path) for path in manifest.table["path"]]
    value_range = resolve_range(config, measure_levels(manifest.root, paths), notices)
    looks = look_at(manifest.root, paths, list(shown), value_range)
    if near == "auto":
        near = "all" if count <= MANY else "whole"
        if near == "whole":
            notices.append(
                f"near copies: of {count} photos whole ones are compared as they are; near=all "
                "finds mirrored, turned and cut ones too, and takes longer"
            )
    given = config.given_split and bool((manifest.table["split"] != "").any())
    manifest = _split(manifest, config, looks, notices)
    return Survey(
        config,
        raw,
        manifest,
        looks,
        near,
        given,
        notices,
        left_out=left_out,
        value_range=value_range,
    )


def _split(manifest: Manifest, config: DataConfig, looks: Looks, notices: list[str]) -> Manifest:
    """The samples with the split that they would be trained with."""
    readable = looks.readable
    split = given_splits(manifest, config)
    part = with_content(manifest.where(pd.Series(readable)), looks.digests[readable])
    try:
        if part.table.empty:
            raise DataError("none of the photos can be read")
        split[readable] = assign_splits(part, config, notices).table["split"].to_numpy()
    except DataError as error:
        notices.append(f"training would refuse: {error}")
    return replace(manifest, table=manifest.table.assign(split=split.astype(str)))
