"""Bundles into the registry: a new version, and which version is the champion. No torch."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from osprey.errors import UserError
from osprey.inference.card import CARD, DETECTOR, NETWORK, Card, read_card
from osprey.inference.network import open_network
from osprey.inference.registry import ALIASES, CHAMPION, REGISTERED_RUN, Registry, is_name
from osprey.inference.two_step import detector_of
from osprey.runs.folder import RunFolder
from osprey.system.files import atomic_path, write_text
from osprey.system.locks import FolderLock

_OF_THE_RUN = ("config.yaml", "manifest.csv", "summary.json", "environment.json", "overrides.txt")


def add_version(registry: Registry, name: str, bundle: Path, run: RunFolder | None) -> int:
    """Copy a bundle into the registry as the next version of a name.

    Args:
        registry: Where to.
        name: Letters, digits, dots and hyphens.
        bundle: The bundle's folder.
        run: The run it was exported from, whose checkpoint and table of photos are copied too, so
            that a new training may start from it; None: the bundle alone.

    Returns:
        The version's number.

    Raises:
        UserError: The name cannot be used, or the bundle is damaged.
        BundleError: Its network is not the one that its card names, or ONNX Runtime refuses it.
    """
    if not is_name(name):
        raise UserError(
            f"--name: '{name}' cannot name bundles: letters, digits, dots, hyphens and underscores"
        )
    parts = {"": bundle}
    card = read_card(bundle)
    if card.detector is not None:
        parts[DETECTOR] = detector_of(bundle, card)
    for part in parts.values():
        open_network(part, read_card(part), threads=1)
    folder = registry.root / name
    folder.mkdir(parents=True, exist_ok=True)
    with FolderLock(folder, f"'{folder}' is being written by another process"):
        # An alias may still mean a version that was deleted: its number is not used again.
        taken = [*registry.versions(name), *registry.aliases(name).values()]
        version = max(taken, default=0) + 1
        with atomic_path(registry.folder(name, version)) as partial:
            for name_within, part in parts.items():
                (partial / name_within).mkdir()
                for file in (CARD, NETWORK):
                    shutil.copyfile(part / file, partial / name_within / file)
            if run is not None:
                _copy_run(run, partial / REGISTERED_RUN)
        if not taken:
            _write_aliases(registry, name, {CHAMPION: version})
    return version


def _copy_run(run: RunFolder, target: Path) -> None:
    """What `from=` reads of a run."""
    copy = RunFolder(target)
    copy.best.parent.mkdir(parents=True)
    shutil.copyfile(run.best, copy.best)
    for name in _OF_THE_RUN:
        if (run.path / name).is_file():
            shutil.copyfile(run.path / name, target / name)


def set_alias(
    registry: Registry, name: str, alias: str, version: int, check: Callable[[int], None]
) -> int | None:
    """Let ``NAME@ALIAS`` mean a version, in one step.

    Args:
        registry: Where.
        name: Of the bundles.
        alias: Such as ``champion``.
        version: What it is to mean.
        check: Called with the version that it means now, if that is another; may refuse.

    Returns:
        The version that it meant before, or None.

    Raises:
        UserError: The alias cannot be used, or ``check`` refuses.
    """
    if not is_name(alias) or alias.isdecimal():
        raise UserError(f"--alias: '{alias}' cannot name a version: letters, digits, hyphens")
    folder = registry.root / name
    with FolderLock(folder, f"'{folder}' is being written by another process"):
        aliases = registry.aliases(name)
        before = aliases.get(alias)
        if before in registry.versions(name) and before not in (None, version):
            check(before)
        _write_aliases(registry, name, {**aliases, alias: version})
    return before


def _write_aliases(registry: Registry, name: str, aliases: Mapping[str, int]) -> None:
    write_text(registry.root / name / ALIASES, json.dumps(aliases, indent=2) + "\n")


@dataclass(frozen=True)
class Worse:
    """A class of which a version knows less than another.

    Attributes:
        label: The class.
        before: Its F1 in the present champion's test, 0 to 1.
        after: In the new version's; None where that does not know the class.
    """

    label: str
    before: float
    after: float | None


def worse_classes(champion: Card, new: Card, most: float) -> list[Worse]:
    """Classes that get worse by more than a limit, by F1 on both versions' test splits.

    Args:
        champion: The present one.
        new: What is to take its place.
        most: What a class may lose.

    Raises:
        UserError: One has no figures of each class, or they are not of the same number of steps,
            or two steps name fewer photos rightly.
    """
    before, after = (f1_by_class(card.metrics) for card in (champion, new))
    if not before or not after:
        raise UserError(
            "one of the two has no test figures of each class, so nothing says which is better: "
            "add --force to promote it all the same"
        )
    refuse_other_steps(champion, new, most)
    pairs = [(label, score, after.get(label)) for label, score in before.items()]
    return [Worse(*pair) for pair in pairs if pair[2] is None or pair[1] - pair[2] > most]


def refuse_other_steps(champion: Card, new: Card, most: float) -> None:
    """Refuse a version with a detector in the place of one without, or whose two steps are worse.

    A card's figures are the classifier's, of whole photos: they say nothing of both steps.

    Args:
        champion: The present one.
        new: What is to take its place.
        most: What two steps may lose of the photos that they name rightly, 0 to 1.

    Raises:
        UserError: It is such a one.
    """
    force = "add --force to promote it all the same"
    if (champion.detector is None) != (new.detector is None):
        raise UserError(
            "one of the two finds boxes first and the other does not, so nothing says which is "
            f"better: {force}"
        )
    if champion.detector is None or new.detector is None:
        return
    before, after = (_rightly(card.detector) for card in (champion, new) if card.detector)
    if before is None or after is None:
        raise UserError(
            f"one of the two has no figure of both steps, so nothing says which is better: {force}"
        )
    if before - after > most:
        raise UserError(
            f"its two steps name {after:.1%} of validation rightly, the present {before:.1%}: "
            "allow it with --max-drop, or all with --force"
        )


def _rightly(detector: Mapping[str, Any]) -> float | None:
    """The share of validation photos that a bundle's two steps name rightly."""
    check = detector.get("check")
    value = check.get("theirs") if isinstance(check, Mapping) else None
    return float(value) if isinstance(value, int | float) and 0 <= value <= 1 else None


def f1_by_class(metrics: Mapping[str, Any]) -> dict[str, float]:
    """F1 of each class on the test split, or on validation where there was no test."""
    figures = metrics.get("test", metrics.get("val"))
    rows = figures.get("per_class") if isinstance(figures, Mapping) else None
    found = rows.items() if isinstance(rows, Mapping) else ()
    return {str(k): float(v) for k, v in found if isinstance(v, int | float) and v == v}
