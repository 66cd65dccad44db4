"""Where class folders are: below folders of splits, however these are called, or at the root."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from osprey.data.folders import is_hidden_folder, is_photo_name
from osprey.data.notices import Guess
from osprey.data.passed_over import printable
from osprey.data.split_names import NONE, SplitNames, plain
from osprey.errors import DataError

_SHOWN = 5  # names in a line


@dataclass(frozen=True)
class Part:
    """A folder whose folders are classes.

    Attributes:
        folder: The folder.
        split: Of everything in it; "" where it has none.
    """

    folder: Path
    split: str


@dataclass(frozen=True)
class Layout:
    """How a folder is laid out.

    Attributes:
        parts: Where the class folders are.
        left_out: Names of the folders that belong to no split, beside those that do.
    """

    parts: list[Part]
    left_out: list[str]

    @property
    def has_splits(self) -> bool:
        """Whether folders say the split."""
        return any(part.split for part in self.parts)


def find_layout(
    root: Path, names: SplitNames, notices: list[str], *, by_name: bool = False
) -> Layout:
    """Find the folders of splits, if there are any.

    ``train``, ``val`` and so on are splits. ``train_images``, ``val2017`` or ``Test set`` are where
    they are several, hold class folders, and nothing contradicts; this is told. Where it is not
    clear it is asked: they never become classes unsaid.

    Args:
        root: The folder of the photos.
        names: What names of splits mean.
        notices: Lines for the user are appended here.
        by_name: Labels are in the photos' names: there need be no class folders.

    Raises:
        DataError: Folders may be splits or classes; the line says with which setting to tell.
    """
    tops = subfolders(root)
    splits = {top: split for top in tops if (split := names.sure(top.name))}
    like = names.of_folders(top.name for top in tops)
    alike = {top: like[top.name] for top in tops if top.name in like}
    others = [top for top in tops if top not in splits and top not in alike]
    if splits or alike:
        _ask_of_classes(splits, alike, others, by_name=by_name)
    if alike:
        said = _listed(f"'{top.name}' as {split}" for top, split in alike.items())
        notices.append(
            Guess(f"folders taken as splits: {said} ({_setting(alike)} takes them as classes)")
        )
    found = {top: split for top, split in sorted({**splits, **alike}.items())}
    if not found:
        return Layout([Part(root, "")], [])
    parts = [Part(_inner(top, split, names, notices), split) for top, split in found.items()]
    return Layout(parts, [top.name for top in others])


def _ask_of_classes(
    splits: dict[Path, str], alike: dict[Path, str], others: Sequence[Path], *, by_name: bool
) -> None:
    """Refuse what may be splits or classes.

    Raises:
        DataError: It may.
    """
    found = {**splits, **alike}
    if by_name or any(_has_class_folders(top) for top in found):
        beside = [top.name for top in others if not by_name and has_photo(top)]
        if splits or not beside or len(set(alike.values())) > 1:
            return
        raise DataError(
            f"'{next(iter(alike)).name}' may be a split or a class beside {_quoted(beside)}: say "
            f"which, {_setting(alike, split=True)} or {_setting(alike)}"
        )
    beside = [top.name for top in others if has_photo(top)]
    if splits and not beside and not alike:
        return  # photos without a class, as is said later
    if splits and beside:
        raise DataError(
            f"{_quoted(top.name for top in found)} may be a split without class folders, or a "
            f"class beside {_quoted(beside)}: {_setting(found)} takes it for a class; for splits "
            "put the photos of each class into a folder of its own"
        )
    if any(map(has_photo, alike)):
        raise DataError(
            f"{_quoted(top.name for top in found)} look like splits, and have no class folders in "
            "them: put the photos of each class into a folder of its own, give a table with "
            f"data=table data.file=labels.csv, or take them for classes with {_setting(alike)}"
        )


def _setting(folders: Iterable[Path] | dict[Path, str], *, split: bool = False) -> str:
    """The setting that says what folders are: classes, or the splits that they look like."""
    means = folders if split and isinstance(folders, dict) else dict.fromkeys(folders, NONE)
    pairs = ", ".join(f"{top.name}: {word}" for top, word in means.items())
    return f"data.split_names='{{{pairs}}}'"


def _inner(top: Path, split: str, names: SplitNames, notices: list[str]) -> Path:
    """The folder with the class folders: ``train/train`` and ``train/images`` are one split."""
    below = subfolders(top)
    if len(below) != 1 or not _has_class_folders(below[0]) or has_photo_directly(top):
        return top
    inner = below[0]
    same = names.sure(inner.name) or names.maybe(inner.name)
    if same != split and plain(inner.name) not in (plain(top.name), "images", "data"):
        return top
    notices.append(Guess(f"class folders of {split} read from '{top.name}/{inner.name}'"))
    return inner


def empty_classes(layout: Layout, root: Path) -> list[str]:
    """Class folders that can be opened and have no photo, relative to the root."""
    return [
        printable(folder.relative_to(root).as_posix())
        for part in layout.parts
        for folder in subfolders(part.folder)
        if not has_photo(folder) and os.access(folder, os.R_OK | os.X_OK)
    ]


def subfolders(folder: Path) -> list[Path]:
    """The folders in a folder, hidden ones and those of the system left out, by name.

    A folder that cannot be opened has none: the walk through the photos tells of it.
    """
    try:
        with os.scandir(folder) as found:
            names = [entry.name for entry in found if entry.is_dir()]
    except OSError:
        return []
    return [folder / name for name in sorted(names) if not is_hidden_folder(name)]


# A setting, as an example to those whose photos lie in no folders of classes.
LABEL_IN_NAME = r"data.label='(?P<label>[A-Za-z]+)_\d+'"


def has_photo(folder: Path, seen: frozenset[str] = frozenset()) -> bool:
    """Whether a folder or one below it has a photo; it looks no further than the first."""
    real = os.path.realpath(folder)
    if real in seen:  # a link back
        return False
    if has_photo_directly(folder):
        return True
    return any(has_photo(below, seen | {real}) for below in subfolders(folder))


def has_photo_directly(folder: Path) -> bool:
    """Whether a photo lies in the folder itself."""
    try:
        with os.scandir(folder) as found:
            return any(
                is_photo_name(entry.name) and not entry.name.startswith(".") for entry in found
            )
    except OSError:
        return False


def _has_class_folders(folder: Path) -> bool:
    return any(has_photo(below) for below in subfolders(folder))


def _quoted(names: Iterable[str]) -> str:
    return _listed(f"'{name}'" for name in names)


def _listed(words: Iterable[str]) -> str:
    words = list(words)
    more = f" and {len(words) - _SHOWN} more" if len(words) > _SHOWN else ""
    return ", ".join(words[:_SHOWN]) + more
