"""A folder of named, versioned bundles: ``fish@3``, ``fish@champion``.

``registry/NAME/VERSION`` is a bundle, and ``registry/NAME/aliases.json`` gives versions a name.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from osprey.errors import BundleError, UserError, nearest
from osprey.inference.card import CARD, NETWORK

CHAMPION = "champion"
ALIASES = "aliases.json"
REGISTERED_RUN = "run"  # in a version's folder: what a new training starts from
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


@dataclass(frozen=True)
class Registry:
    """The bundles below one folder.

    Attributes:
        root: The folder; it need not exist.
    """

    root: Path

    def names(self) -> list[str]:
        """Names with at least one version."""
        if not self.root.is_dir():
            return []
        return sorted(
            p.name for p in self.root.iterdir() if is_name(p.name) and self.versions(p.name)
        )

    def versions(self, name: str) -> list[int]:
        """Versions of a name, the oldest first."""
        folder = self.root / name
        found = [p.name for p in folder.iterdir()] if folder.is_dir() else []
        return sorted(int(v) for v in found if v.isdecimal() and (folder / v / CARD).is_file())

    def aliases(self, name: str) -> dict[str, int]:
        """Other names of versions, such as ``champion``.

        Raises:
            BundleError: The file is damaged.
        """
        file = self.root / name / ALIASES
        if not file.is_file():
            return {}
        try:
            found = json.loads(file.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            found = None
        if not isinstance(found, Mapping) or not all(type(v) is int for v in found.values()):
            raise BundleError(f"'{file}' is damaged: delete it, and promote a version again")
        return {str(alias): version for alias, version in found.items()}

    def folder(self, name: str, version: int) -> Path:
        """Where a version's bundle lies, or would."""
        return self.root / name / str(version)

    def find(self, word: str) -> tuple[str, int]:
        """The version that ``NAME``, ``NAME@VERSION`` or ``NAME@ALIAS`` says.

        A name alone means its champion, or the newest version where there is none.

        Raises:
            UserError: There is no such version; the line names the nearest.
        """
        name, _, which = word.partition("@")
        versions = self.versions(name) if is_name(name) else []
        if not versions:
            names = self.names()
            there = nearest(name, names) or (f" (there are {', '.join(names)})" if names else "")
            raise UserError(f"there is no bundle '{name}' in the registry '{self.root}'{there}")
        if which.isdecimal() and int(which) in versions:  # also where the aliases are damaged
            return name, int(which)
        aliases = self.aliases(name)
        if not which:
            champion = aliases.get(CHAMPION)
            return name, champion if champion in versions else versions[-1]
        version = aliases.get(which)
        if version is None or version not in versions:
            valid = [*map(str, versions), *aliases]
            hint = nearest(which, valid) or f" (there are {', '.join(valid)})"
            raise UserError(f"'{name}' has no version '{which}'{hint}")
        return name, version


def is_name(word: str) -> bool:
    """Whether a word may name bundles: letters, digits, dots, hyphens; no way to another folder."""
    return _NAME.fullmatch(word) is not None


def find_bundle(
    word: str | None, registry: Path, runs: Path, option: str = "--model"
) -> tuple[Path, str]:
    """The bundle that a command is asked about.

    Args:
        word: A folder, a run's folder, or a name in the registry; None: the champion, if one name
            is registered, else the bundle of the newest run that has one.
        registry: Folder of the registry.
        runs: Folder of all runs.
        option: What the word was given as.

    Returns:
        The bundle's folder, and what to call it.

    Raises:
        UserError: There is none, or the choice is the user's.
    """
    known = Registry(registry)
    if word is not None:
        for folder in (Path(word), Path(word) / "bundle", runs / word / "bundle"):
            if (folder / CARD).is_file():
                return folder, str(folder)
        name = word.partition("@")[0]
        if not (is_name(name) and known.versions(name)):
            newest = _newest(runs.glob(f"{word}/*/bundle")) if is_name(word) else None
            if newest is not None:
                return newest, str(newest)
            _refuse_place(word, option)
        name, version = known.find(word)
        return known.folder(name, version), f"{name}@{version}"
    names = known.names()
    if len(names) > 1:
        raise UserError(f"{option}: name one of {', '.join(names)} (there are several)")
    if names:
        name, version = known.find(names[0])
        return known.folder(name, version), f"{name}@{version}"
    newest = _newest(runs.glob("*/*/bundle"))
    if newest is None:
        raise UserError(
            f"there is no bundle under '{runs}' and none in the registry '{registry}': write one "
            "with 'osprey export RUN'"
        )
    return newest, str(newest)


def _refuse_place(word: str, option: str) -> None:
    """Say what is wrong with a word that is a place rather than a name."""
    if (Path(word) / NETWORK).is_file():
        raise BundleError(f"{option}: '{word}' has no {CARD}: copy the bundle again, whole")
    if Path(word).is_file():
        raise UserError(f"{option}: '{word}' is a file: name the bundle's folder")
    if "/" in word or Path(word).is_dir():
        raise UserError(f"{option}: '{word}' is no bundle: write one with 'osprey export {word}'")


def _newest(bundles: Iterable[Path]) -> Path | None:
    """That of the run that was finished last, if there is any."""
    found = [p for p in bundles if (p / CARD).is_file() and finished(p.parent)]
    return max(found, key=lambda p: (p.parent / "summary.json").stat().st_mtime_ns, default=None)


def finished(run: Path) -> bool:
    """Whether a run was tested to its end."""
    return (run / "summary.json").is_file()
