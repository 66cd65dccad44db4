"""Public sets that torchvision can download: read where they lie, fetched where they do not."""

from __future__ import annotations

import io
import shutil
import urllib.error
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
from PIL import Image

from osprey.config.schema import DataConfig
from osprey.data.folders import existing_folder
from osprey.data.formats.parsing import read_lines
from osprey.data.manifest import Manifest, complete
from osprey.data.unpacked import Sample, is_unpacked, read_unpacked, unpacked
from osprey.errors import DataError, nearest
from osprey.system.console import say
from osprey.system.files import publish
from osprey.system.paths import home_path

Row = tuple[str, str, str]  # path, split, label


@dataclass(frozen=True)
class _Set:
    """One set.

    Attributes:
        kind: The class of ``torchvision.datasets`` that fetches it.
        folder: That it makes.
        rows: Reads the photos of that folder; None where they lie in arrays.
    """

    kind: str
    folder: str
    rows: Callable[[Path], Iterator[Row]] | None = None


def read_torchvision(config: DataConfig, notices: list[str]) -> Manifest:
    """Read one of the sets, ``data.name``, under ``data.root``, or fetch it to ``data.unpacked``.

    Args:
        config: The data section of the configuration.
        notices: Lines for the user are appended here.

    Returns:
        The manifest; its root is the folder that torchvision makes.

    Raises:
        DataError: It is unknown, not there, or cannot be fetched.
    """
    if config.name not in SETS:
        names = ", ".join(SETS)
        raise DataError(
            f"data.name: torchvision's '{config.name}' is not known here"
            f"{nearest(config.name, SETS)} (one of {names})"
        )
    if is_unpacked(config.root):
        return read_unpacked(config.root, notices)
    one = SETS[config.name]
    if config.unpacked is None:
        raise DataError("data.unpacked is not set: name the folder to fetch the set to")
    place = home_path(config.unpacked) / config.name
    photos = home_path(config.unpacked) / f"{config.name}-photos"
    if one.rows is None and not config.root and is_unpacked(str(photos)):
        return read_unpacked(str(photos), notices)
    root = existing_folder(config.root) if config.root else place
    inside = root / one.folder if (root / one.folder).is_dir() else root
    if not config.root and inside == root:
        _fetch(config.name, one, place)
        inside = root / one.folder
    if one.rows is None:
        samples = partial(_arrays, one, inside.parent)
        return unpacked(photos, f"'{config.name}'", samples, list, notices)
    try:
        rows = sorted(one.rows(inside))
    except (OSError, ValueError, KeyError, DataError) as error:
        raise DataError(
            f"'{inside}' is not '{config.name}' as torchvision lays it out ({error}): leave "
            "data.root out, and it is fetched"
        ) from None
    if not rows:
        raise DataError(f"'{inside}' holds no photos of '{config.name}'")
    table = pd.DataFrame(rows, columns=["path", "split", "label"])
    return complete(table, inside, f"'{inside}'")


def _fetch(name: str, one: _Set, place: Path) -> None:
    """Let torchvision download a set, which checks it by its digest.

    Raises:
        DataError: There is no network, or what came is damaged.
    """
    from torchvision import datasets

    say(f"fetch   '{name}' to '{place}', by torchvision.datasets.{one.kind}")
    unfinished = place / ".partial"  # a killed run may leave one, which is no set
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    try:
        getattr(datasets, one.kind)(str(unfinished), download=True)
        publish(unfinished / one.folder, place / one.folder)
    except BaseException as error:
        raise _explained(error, name, one) from None
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _explained(error: BaseException, name: str, one: _Set) -> BaseException:
    """What to tell of an error while fetching."""
    if isinstance(error, urllib.error.URLError | ConnectionError | TimeoutError):
        return DataError(
            f"data=torchvision: '{name}' cannot be fetched, there is no network: data.root=FOLDER "
            f"names a folder that holds '{one.folder}'"
        )
    if isinstance(error, RuntimeError):
        return DataError(f"data=torchvision: '{name}' cannot be fetched ({error})")
    return error


# ---------------------------------------------------------------- the layouts


def _pets(folder: Path) -> Iterator[Row]:
    """``Abyssinian_100 1 1 1`` a line: breeds, by what stands before the number."""
    for file, split in (("trainval", "train"), ("test", "test")):
        for line in read_lines(folder / "annotations" / f"{file}.txt"):
            name = line.partition(" ")[0]
            if name and not name.startswith("#"):
                yield f"images/{name}.jpg", split, name.rpartition("_")[0]


def _flowers(folder: Path) -> Iterator[Row]:
    """MATLAB files with a class a photo, and the numbers of each split's photos."""
    from scipy.io import loadmat

    labels = loadmat(folder / "imagelabels.mat", squeeze_me=True)["labels"]
    splits = loadmat(folder / "setid.mat", squeeze_me=True)
    names = _flower_names()
    for key, split in (("trnid", "train"), ("valid", "val"), ("tstid", "test")):
        for number in splits[key].tolist():
            label = names.get(int(labels[number - 1]), f"{labels[number - 1]:03d}")
            yield f"jpg/image_{number:05d}.jpg", split, label


def _flower_names() -> dict[int, str]:
    """As torchvision lists them; numbers stay where it does not."""
    from torchvision import datasets

    names = getattr(datasets.Flowers102, "classes", ())
    return dict(enumerate(names, 1))


def _food(folder: Path) -> Iterator[Row]:
    """``apple_pie/1005649`` a line."""
    for split in ("train", "test"):
        for line in read_lines(folder / "meta" / f"{split}.txt"):
            if line:
                yield f"images/{line}.jpg", split, line.partition("/")[0]


def _eurosat(folder: Path) -> Iterator[Row]:
    for photo in folder.glob("2750/*/*.jpg"):
        yield photo.relative_to(folder).as_posix(), "", photo.parent.name


def _arrays(one: _Set, root: Path) -> Iterator[Sample]:
    """CIFAR's photos; torchvision checks the digests of its pickles before it reads them."""
    from torchvision import datasets

    for split, train in (("train", True), ("test", False)):
        try:
            found: Any = getattr(datasets, one.kind)(str(root), train=train)
        except RuntimeError:
            raise DataError(
                f"'{root / one.folder}' is not whole, as torchvision's digests have it: leave "
                "data.root out, and it is fetched"
            ) from None
        for pixels, target in zip(found.data, found.targets, strict=True):
            buffer = io.BytesIO()
            Image.fromarray(pixels).save(buffer, "PNG")
            yield Sample(buffer.getvalue(), split, found.classes[target])


SETS = {
    "oxford_pets": _Set("OxfordIIITPet", "oxford-iiit-pet", _pets),
    "flowers102": _Set("Flowers102", "flowers-102", _flowers),
    "food101": _Set("Food101", "food-101", _food),
    "eurosat": _Set("EuroSAT", "eurosat", _eurosat),
    "cifar10": _Set("CIFAR10", "cifar-10-batches-py"),
}
