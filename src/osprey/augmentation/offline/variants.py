"""One photo's copies: decoded once, augmented, encoded, written; the same in every process."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from osprey.augmentation.box_policy import BoxPolicy
from osprey.augmentation.policy import Policy
from osprey.data.box_column import Box, boxes_text, parse_boxes
from osprey.data.folder_journal import Row
from osprey.data.labelled import Labelled
from osprey.errors import UnreadableImage
from osprey.imaging import Preprocess, decode
from osprey.imaging.decode import read_file
from osprey.imaging.deep import Range
from osprey.imaging.encode import jpeg_bytes
from osprey.imaging.exif import with_exif
from osprey.imaging.size import announced_size
from osprey.system.files import atomic_path, write_bytes

ORIGINALS = ("copy", "link", "leave")
_STEP = 16  # pixels: photos of nearly one size share a policy, which takes milliseconds to build
_CHECK_SIDE = 64  # pixels: a photo without copies is decoded at an eighth, to know that it can be


class Job(NamedTuple):
    """One photo.

    Attributes:
        source: POSIX path below the input folder.
        stem: What the names of its copies begin with.
        copies: How many.
        boxes: JSON as in a manifest; None without boxes.
        size: Width and height in pixels that the boxes are for.
    """

    source: str
    stem: str
    copies: int
    boxes: str | None = None
    size: tuple[int, int] = (0, 0)


@dataclass(frozen=True)
class Recipe:
    """What is made of every photo.

    Attributes:
        steps: The policy's, as plain data.
        seed: 0 or more.
        most: Side of copies in pixels at most; smaller photos give copies of their short side.
        originals: ``copy``, ``link`` or ``leave``.
        exif: Copies get their photo's EXIF.
        boxes: The photos have boxes.
        value_range: Of samples of more than 8 bits, see `osprey.imaging.decode`.
    """

    steps: tuple[Any, ...]
    seed: int
    most: int
    originals: str
    exif: bool
    boxes: bool
    value_range: Range | None = None


@dataclass
class VariantMaker:
    """Makes the files of one photo after another. Can be pickled; not thread-safe.

    Args:
        root: The input folder, which is only read.
        output: The output folder.
        recipe: What is made.
    """

    root: Path
    output: Path
    recipe: Recipe
    _policies: dict[int, Policy | BoxPolicy] = field(default_factory=dict, repr=False)
    _held: tuple[str, Policy | BoxPolicy, NDArray[np.uint8]] | None = field(
        default=None, repr=False
    )

    def __call__(self, job: Job) -> list[Row]:
        """Write a photo's files.

        Args:
            job: The photo.

        Returns:
            Rows for the journal; one with ``failure`` where the photo cannot be read.

        Raises:
            OSError: A file cannot be written; nothing half is left under its name.
        """
        try:
            data = read_file(self.root / job.source)
            if not job.copies:
                self._decode(job, data, _CHECK_SIDE)
            rows = [self._copy(job, data, number) for number in range(1, job.copies + 1)]
        except UnreadableImage as error:
            why = str(error).encode("utf-8", "backslashreplace").decode()
            return [{"source": job.source, "status": "failure", "failure": why}]
        return [*self._original(job), *rows] or [{"source": job.source, "status": "nothing"}]

    def _copy(self, job: Job, data: bytes, number: int) -> Row:
        """One augmented copy; one that a killed start has written is not written again."""
        target = self.output / f"{job.stem}{number}.jpg"
        row: Row = {"source": job.source, "status": "copy", "variant": number}
        row["path"] = target.relative_to(self.output).as_posix()
        if target.exists() and job.boxes is None:
            return row
        pixels, more = self.variant(job, data, number)
        if not target.exists():
            encoded = jpeg_bytes(pixels)
            target.parent.mkdir(parents=True, exist_ok=True)
            write_bytes(
                target, with_exif(encoded, data) if self.recipe.exif else encoded, fixed=True
            )
        return row | more

    def variant(self, job: Job, data: bytes, number: int) -> tuple[NDArray[np.uint8], Row]:
        """The pixels of one copy, and its boxes.

        Args:
            job: The photo.
            data: Its file.
            number: Of the copy, from 1 on.

        Returns:
            uint8 [S, S, 3], and ``boxes``, ``width``, ``height`` where the photo has boxes.

        Raises:
            UnreadableImage: It cannot be decoded.
        """
        policy, photo = self._decoded(job, data)
        seed = seed_of(self.recipe.seed, job.source, number)
        if not isinstance(policy, BoxPolicy):
            return policy(photo, seed), {}
        done, boxes = _with_boxes(policy, photo, job, seed)
        height, width = done.shape[:2]
        return done, {"boxes": boxes, "width": width, "height": height}

    def _decoded(self, job: Job, data: bytes) -> tuple[Policy | BoxPolicy, NDArray[np.uint8]]:
        held = self._held
        if held is None or held[0] != job.source:
            size = announced_size(data) or self._decode(job, data, 0).shape[1::-1]
            policy = self._policy(min(size))
            photo = self._decode(job, data, policy.decode_side())
            self._held = held = job.source, policy, photo
        return held[1], held[2]

    def _decode(self, job: Job, data: bytes, least: int) -> NDArray[np.uint8]:
        name, ends = str(self.root / job.source), self.recipe.value_range
        return decode(data, min_side=least, name=name, value_range=ends)

    def _policy(self, short: int) -> Policy | BoxPolicy:
        """The policy for photos of a short side."""
        side = max(_STEP, min(self.recipe.most, short // _STEP * _STEP))
        if side not in self._policies:
            kind = BoxPolicy if self.recipe.boxes else Policy
            self._policies[side] = kind(self.recipe.steps, Preprocess(side))
        return self._policies[side]

    def _original(self, job: Job) -> list[Row]:
        if self.recipe.originals == "leave":
            return []
        target = self.output / job.source
        if not os.path.lexists(target):
            target.parent.mkdir(parents=True, exist_ok=True)
            with atomic_path(target, fixed=True) as partial:
                if self.recipe.originals == "link":
                    partial.symlink_to((self.root / job.source).resolve())
                else:
                    shutil.copyfile(self.root / job.source, partial)
        row: Row = {"source": job.source, "status": "original", "variant": 0, "path": job.source}
        if job.boxes is not None:
            row |= {"boxes": job.boxes, "width": job.size[0], "height": job.size[1]}
        return [row]


def seed_of(seed: int, source: str, number: int) -> int:
    """The seed of one copy: of its photo's name and number, whoever makes it and when.

    Args:
        seed: The user's.
        source: The photo's path below the input folder.
        number: Of the copy.

    Returns:
        32 bits.
    """
    text = f"{seed}\0{number}\0{source}".encode("utf-8", "surrogateescape")
    return int.from_bytes(hashlib.blake2b(text, digest_size=4).digest(), "little")


def _with_boxes(
    policy: BoxPolicy, photo: NDArray[np.uint8], job: Job, seed: int
) -> tuple[NDArray[np.uint8], str]:
    """A photo and its boxes, augmented; a JPEG may have been decoded smaller than they are for."""
    found = parse_boxes(job.boxes or "[]")
    across, down = photo.shape[1] / job.size[0], photo.shape[0] / job.size[1]
    corners = [(x * across, y * down, (x + w) * across, (y + h) * down) for _, x, y, w, h in found]
    boxes = np.array(corners, dtype=np.float32).reshape(-1, 4)
    done = policy(Labelled(photo, boxes, np.arange(len(found))), seed)
    made: list[Box] = [
        (found[int(i)][0], float(x), float(y), float(x2 - x), float(y2 - y))
        for (x, y, x2, y2), i in zip(done.boxes, done.labels, strict=True)
    ]
    return done.image, boxes_text(made)


def free_mark(stems: Iterable[str]) -> str:
    """What stands between a photo's name and a copy's number, so that no copy is called as a photo.

    Args:
        stems: Names of photos without suffix.

    Returns:
        One underscore, or as many as it takes.
    """
    known = {stem.casefold() for stem in stems}
    mark = "_"
    while any(
        (found := re.fullmatch(rf"(.*){mark}\d+", stem)) and found[1] in known for stem in known
    ):
        mark += "_"
    return mark
