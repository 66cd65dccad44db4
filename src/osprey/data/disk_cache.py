"""Decoded photos kept on disk between runs, and never older than the files they were made of.

A set of photos, such as the training photos of one fold, has one index, ``ROOT-NAME.npz``, which
is replaced in one step and names the file of pixels that goes with it, ``ROOT-NAME-XXXXXXXX.bin``.
A run that reads the old ones holds them open. Of each data set those used last are kept.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from osprey.data.cache import Check, PhotoCache, Source, fill
from osprey.errors import DataError
from osprey.system.files import publish
from osprey.system.paths import home_path

_VERSION = 2  # raise it when decoding or resizing gives other pixels, or the files' form changes
_SETS = 12  # kept of one data set: training and validation photos of five folds, and of one more
_ABANDONED = 24 * 3600  # seconds after which a pixel file that no index names is deleted


def usable_folder(cache: Path, roots: Sequence[Path]) -> Path:
    """The folder for photos below ``cache``, created if needed.

    Args:
        cache: ``paths.cache``.
        roots: Folders of the user's data.

    Returns:
        ``cache / "photos"``.

    Raises:
        DataError: It lies in the user's data, or cannot be written to.
    """
    folder = home_path(cache) / "photos"
    inside = [root for root in roots if folder.resolve().is_relative_to(root.resolve())]
    if inside:
        raise DataError(
            f"paths.cache: '{cache}' lies inside data.root '{inside[0]}', where nothing is "
            "written: name another folder, or use data.cache=ram or none"
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / f".{secrets.token_hex(4)}"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise _unwritable(folder, error) from None
    return folder


def _unwritable(folder: Path, error: OSError) -> DataError:
    return DataError(
        f"data.cache=disk: cannot write to '{folder}' ({error.strerror}): name another folder with "
        "paths.cache=FOLDER, or use data.cache=ram or none"
    )


class DiskCache:
    """One set of photos on disk.

    Args:
        folder: Folder of the caches.
        root: The data set's folder; with the recipe it determines the file names.
        source: The photos.
    """

    def __init__(self, folder: Path, root: Path, source: Source) -> None:
        self.source = source
        self.folder = folder
        self.root = _digest(str(root.resolve()), 8)
        facts = f"{_VERSION}\n{source.name}\n{source.recipe}"
        self.name = f"{self.root}-{_digest(facts, 16)}"
        self.index = folder / f"{self.name}.npz"

    def open(self) -> PhotoCache | str:
        """The cached photos, or why they must be decoded again; "" where none were kept."""
        if not self.index.exists():
            return ""
        try:
            stamps, name, offsets, shapes = self._read_index()
        except Exception:  # zip and NumPy have a dozen errors for damage
            return "its index was damaged"
        changed = int((stamps != self.source.stamps).sum())
        if changed:
            return f"{changed} photos changed"
        try:
            file = (self.folder / name).open("rb")
        except OSError:
            return "its photos were gone"
        if os.fstat(file.fileno()).st_size != offsets[-1]:
            file.close()
            return "it was cut short"
        with contextlib.suppress(OSError):
            os.utime(self.index)  # sets long unused go first
        return PhotoCache(file, offsets, shapes)

    def _read_index(
        self,
    ) -> tuple[NDArray[np.uint64], str, NDArray[np.int64], NDArray[np.int32]]:
        with np.load(self.index, allow_pickle=False) as index:
            stamps, offsets, shapes = (index[key] for key in ("stamps", "offsets", "shapes"))
            name = str(index["pixels"])
        sizes = 3 * shapes.prod(axis=1, dtype=np.int64)
        fits = len(stamps) == len(shapes) == self.source.count
        if not fits or not np.array_equal(np.diff(offsets), sizes):
            raise ValueError("the index contradicts itself")
        if Path(name).name != name or offsets[0] or (sizes <= 0).any():
            raise ValueError("the index names what cannot be its own")
        return stamps, name, offsets, shapes

    def build(self, check: Check) -> PhotoCache:
        """Decode the photos, store them, and delete caches that are no longer needed.

        Args:
            check: Called between groups of photos; raises where the disk runs full.

        Returns:
            The new cache.

        Raises:
            UnreadableImage: A file cannot be decoded.
            DataError: The folder cannot be written to, or the disk is full.
        """
        before = _pixels(self.index)
        pixels = self.folder / f"{self.name}-{secrets.token_hex(4)}.bin"
        temporary = pixels.with_suffix(".index")
        try:
            cache = fill(self.source, pixels.open("w+b"), check)
            self._publish(cache, pixels, temporary)
        except BaseException as error:
            for file in (pixels, temporary):
                file.unlink(missing_ok=True)
            if isinstance(error, OSError):
                raise _unwritable(self.folder, error) from None
            raise
        self._tidy(pixels.name, before)
        return cache

    def _publish(self, cache: PhotoCache, pixels: Path, temporary: Path) -> None:
        # Synced before the index is written: a power cut must not leave zeros for pixels.
        with pixels.open("rb+") as file:
            os.fsync(file.fileno())
        with temporary.open("wb") as file:
            np.savez(
                file,
                stamps=self.source.stamps,
                pixels=np.array(pixels.name),
                offsets=cache.offsets,
                shapes=cache.shapes,
            )
        publish(temporary, self.index)

    def _tidy(self, kept: str, before: str) -> None:
        """Remove the former file of pixels, sets long unused, and what killed runs left behind."""
        indexes = sorted(self.folder.glob(f"{self.root}-*.npz"), key=_used, reverse=True)
        known = {index.stem for index in indexes[:_SETS]}
        spare = {before, *map(_pixels, indexes[_SETS:])}
        for index in indexes[_SETS:]:
            with contextlib.suppress(OSError):
                index.unlink()
        for file in self.folder.glob(f"{self.root}-*-*"):
            owner = file.name.rpartition("-")[0]
            old = time.time() - _used(file)[0] > _ABANDONED
            unnamed = owner == self.name or owner not in known
            if file.name != kept and (file.name in spare or (old and unnamed)):
                with contextlib.suppress(OSError):
                    file.unlink()


def _pixels(index: Path) -> str:
    """The file of pixels that an index names; "" where it cannot be read."""
    try:
        with np.load(index, allow_pickle=False) as content:
            return str(content["pixels"])
    except Exception:  # as above; what no index names goes when it is old
        return ""


def _used(file: Path) -> tuple[float, str]:
    """When, 0 where it is gone; then the name."""
    try:
        return file.stat().st_mtime, file.name
    except OSError:
        return 0.0, file.name


def _digest(facts: str, digits: int) -> str:
    return hashlib.sha256(facts.encode("utf-8", "surrogateescape")).hexdigest()[:digits]
