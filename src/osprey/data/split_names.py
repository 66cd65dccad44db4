"""Names of the three splits, as people write them in folders and in columns."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from osprey.errors import DataError, nearest

SPLITS = ("train", "val", "test")
# What people call the three splits, in folder names and in split columns.
SPLIT_NAMES = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "dev": "val",
    "test": "test",
    "testing": "test",
}
NONE = "none"  # of data.split_names: no split's name
# Words that stand beside a split's name, as in train_images or seg_test.
_BESIDE = {
    *("set", "sets", "data", "dataset", "split", "images", "image", "imgs", "img", "photos"),
    *("photo", "pictures", "pics", "jpg", "jpegs", "png", "crops", "samples", "seg", "folder"),
}
_PARTS = re.compile(r"[^\W\d_]+")
_ENDS = re.compile(r"(?<=[a-z])(?=[A-Z])")  # trainImages


def like_split(name: str) -> str | None:
    """The split that a name such as ``train_images``, ``val2017`` or ``Test set`` may mean.

    Args:
        name: Of a folder, or a cell.

    Returns:
        ``train``, ``val`` or ``test``; None where other words stand in it.
    """
    words = [word.lower() for word in _PARTS.findall(_ENDS.sub(" ", name))]
    words = [part for word in words for part in _apart(word)]
    named = {SPLIT_NAMES[word] for word in words if word in SPLIT_NAMES}
    beside = [word for word in words if word not in SPLIT_NAMES]
    return min(named) if len(named) == 1 and _BESIDE.issuperset(beside) else None


def alike_but_for_splits(names: Iterable[str]) -> dict[str, str]:
    """Names that are one but for a split's, as ``fruits_train`` and ``fruits_test``.

    Args:
        names: Of folders.

    Returns:
        The split of each that another split's stands beside.
    """
    groups: dict[tuple[str, ...], dict[str, str]] = {}
    for name in names:
        words = [w.lower() for w in re.findall(r"[^\W\d_]+|\d+", _ENDS.sub(" ", name))]
        named = {SPLIT_NAMES[word] for word in words if word in SPLIT_NAMES}
        if len(named) == 1:
            rest = tuple(word for word in words if word not in SPLIT_NAMES)
            groups.setdefault(rest, {})[name] = named.pop()
    several = (group for group in groups.values() if len(set(group.values())) > 1)
    return {name: split for group in several for name, split in group.items()}


def _apart(word: str) -> Sequence[str]:
    """``trainset`` as ``train`` and ``set``; others as they are."""
    for name in SPLIT_NAMES:
        if word.startswith(name) and word.removeprefix(name) in _BESIDE:
            return name, word.removeprefix(name)
    return (word,)


class SplitNames:
    """What names mean: what the user said, then the usual words.

    Args:
        said: ``data.split_names``, ``{name: train, val, test or none}``.

    Raises:
        DataError: A value is none of these.
    """

    def __init__(self, said: Mapping[str, str] | None = None) -> None:
        said = said or {}
        self.said = {plain(name): str(split).strip().lower() for name, split in said.items()}
        for name, split in self.said.items():
            if split not in (*SPLITS, NONE):
                hint = nearest(split, (*SPLITS, NONE))
                raise DataError(
                    f"data.split_names: '{name}' means '{split}', which is not train, val, test or "
                    f"none{hint}"
                )

    def sure(self, name: str) -> str | None:
        """The split by what the user said or by the usual word alone; None for no split."""
        key = plain(name)
        if key in self.said:
            return None if self.said[key] == NONE else self.said[key]
        return SPLIT_NAMES.get(key)

    def maybe(self, name: str) -> str | None:
        """The split that a name may mean which `sure` knows nothing of."""
        return None if plain(name) in {*self.said, *SPLIT_NAMES} else like_split(name)

    def of_folders(self, folders: Iterable[str]) -> dict[str, str]:
        """The splits that folders beside each other may mean which `sure` knows nothing of."""
        unsure = [name for name in folders if plain(name) not in {*self.said, *SPLIT_NAMES}]
        like = {name: split for name in unsure if (split := like_split(name))}
        return {**alike_but_for_splits(unsure), **like}

    def column(self, cells: Iterable[str], source: str, *, settable: bool = True) -> dict[str, str]:
        """The split of each value of a column; "" for no split.

        Args:
            cells: The values, with repetitions.
            source: Name of the table, for the error.
            settable: The command takes ``data.split_names``.

        Raises:
            DataError: It cannot be told what one means; the line names the setting that says it.
        """
        values = sorted(set(cells))
        found = {cell: self.sure(cell) or self.maybe(cell) for cell in values if cell.strip()}
        unknown = [cell for cell, split in found.items() if split is None and not self._none(cell)]
        if unknown:
            known = [split for split in found.values() if split is not None]
            free = [split for split in ("train", "test", "val") if split not in known] or ["none"]
            pairs = zip(unknown, (*free, *["none"] * len(unknown)), strict=False)
            example = ", ".join(f"{cell.strip()}: {split}" for cell, split in list(pairs)[:3])
            how = f", or say what each means, such as data.split_names='{{{example}}}'"
            raise DataError(
                f"{source}: unknown split '{unknown[0].strip()}'; use train, val or test"
                + (how if settable else "")
            )
        return {cell: found.get(cell) or "" for cell in values}

    def _none(self, cell: str) -> bool:
        return self.said.get(plain(cell)) == NONE


def plain(name: str) -> str:
    """A name as it is compared: without capitals, and blanks at its ends."""
    return name.strip().lower()
