"""A new run that starts from another: inherited settings, and checks for leakage. No torch."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING

from osprey.config.schema import DataConfig, TrainConfig
from osprey.errors import ConfigError, DataError, UserError
from osprey.runs.folder import RunFolder, find_run

if TYPE_CHECKING:
    from osprey.data.manifest import Manifest

_NETWORK = ("target", "name", "options", "args")
# Data settings that leave the donor's split as it is.
_NOT_OF_THE_SPLIT = (
    *("size", "train_size", "resize", "mean", "std", "batch_size", "eval_batch_size"),
    *("num_workers", "cache", "sampler", "check_files", "allow_leakage"),
)


def with_runs_named(argv: Sequence[str]) -> list[str]:
    """Replace ``from=`` by its setting ``from_run=``, and ``latest`` by the path of that run.

    Later ``latest`` would mean another run, such as the previous trial of a sweep.

    Args:
        argv: Words of the command line.

    Returns:
        The words, changed.

    Raises:
        UserError: There is no finished run yet.
    """
    words = [re.sub("^from=", "from_run=", word) for word in argv]  # no field is called `from`
    runs = next((w.partition("=")[2] for w in words if w.startswith("paths.runs=")), "runs")
    return [
        re.sub(r"(?<![\w/.-])latest(?![\w/.-])", lambda _: _newest(runs), word)
        if word.startswith(("from_run=", "model.runs="))
        else word
        for word in words
    ]


def _newest(runs: str) -> str:
    return str(find_run("latest", Path(runs)).path)


def inherit_data(config: TrainConfig, said: Collection[str], donor: RunFolder) -> None:
    """Copy the donor's data settings, except those set explicitly, in place.

    Args:
        config: The new run's.
        said: Keys set on the command line or by a recipe, such as ``data`` or ``data.root``.
        donor: The earlier run.

    Raises:
        ConfigError: Another data set is named without ``data.root``.
    """
    if "data" not in said:
        theirs = donor.load_config().data
        for field in fields(DataConfig):
            key = f"data.{field.name}"
            if not any(word == key or word.startswith(f"{key}.") for word in said):
                setattr(config.data, field.name, getattr(theirs, field.name))
    if not config.data.root:
        raise ConfigError("data.root is not set: add data.root=VALUE to the command")


def inherit(config: TrainConfig, said: Collection[str], donor: RunFolder) -> None:
    """Copy the donor's network and data settings, except those set explicitly, in place.

    Args:
        config: The new run's.
        said: Keys set on the command line or by a recipe.
        donor: The earlier run.

    Raises:
        UserError: The donor has no checkpoint.
        ConfigError: Another network is set as well, or the donor is an ensemble.
    """
    if not donor.best.is_file():
        raise UserError(f"from: run '{donor.path}' has no best.ckpt yet: train it first")
    for key in ("model", "model._target_", "model.name", "model.options", "model.pretrained"):
        if key in said:
            raise ConfigError(f"{key} cannot be set beside from=RUN: a run brings its own network")
    theirs = donor.load_config().model
    if theirs.factory == "ensemble":
        raise ConfigError("from: an ensemble cannot be trained on; name one of its members")
    composed_name = config.name == f"{config.data.name}-{config.model.name}"
    for name in _NETWORK:
        setattr(config.model, name, getattr(theirs, name))
    config.model.pretrained = str(donor.best.resolve())
    inherit_data(config, said, donor)
    if composed_name:  # before it was known whose network and data these are
        config.name = f"{config.data.name}-{config.model.name}"
    config.from_run = str(donor.path.resolve())  # also for a run resumed from elsewhere


def keep_split(manifest: Manifest, donor: RunFolder, said: Collection[str]) -> Manifest:
    """Keep photos the donor knows in its splits; new ones join their group's split.

    Otherwise an added photo would move others from split to split. Nothing is changed where the
    command sets anything that determines the split.

    Args:
        manifest: The new run's samples, split.
        donor: The earlier run.
        said: Keys set on the command line or by a recipe.

    Returns:
        The samples with the donor's splits.
    """
    splits = {key for key in said if key.startswith("data")}
    if splits - {f"data.{name}" for name in _NOT_OF_THE_SPLIT}:
        return manifest
    before = _load(donor).table
    known = dict(zip(before["path"], before["split"].astype(str), strict=True))
    named = before[before["group"].astype(str) != ""]
    of_group = dict(zip(named["group"].astype(str), named["split"].astype(str), strict=True))
    table = manifest.table.copy()
    now = zip(table["path"], table["group"].astype(str), table["split"].astype(str), strict=True)
    table["split"] = [
        known.get(path) or of_group.get(group, split) if group else known.get(path, split)
        for path, group, split in now
    ]
    return replace(manifest, table=table)


def knows_all(donor: RunFolder, classes: Sequence[str]) -> bool:
    """Whether the donor was trained on every one of ``classes``."""
    return set(classes) <= set(_load(donor).classes)


def check_donor(donor: RunFolder, manifest: Manifest, *, allowed: bool, what: str) -> list[str]:
    """Check that val and test have no photo that the donor, or its own donors, trained on.

    Args:
        donor: The earlier run.
        manifest: The new run's samples.
        allowed: ``data.allow_leakage``: return a warning instead.
        what: The setting that names the donor, for the message.

    Returns:
        Warnings for the user.

    Raises:
        DataError: There are such photos, and ``allowed`` is false.
    """
    root = manifest.root.resolve()
    held = manifest.table[manifest.table["split"].isin(["val", "test"])]
    lines = []
    for run in _lineage(donor):
        before = _load(run)
        learnt = set(before.table.loc[before.table["split"] == "train", "path"])
        origin = before.root.resolve()
        if origin == root:
            seen = [path for path in held["path"] if path in learnt]
        else:
            files = {str(origin / path) for path in learnt}
            seen = [path for path in held["path"] if str(root / path) in files]
        if not seen:
            continue
        line = (
            f"{what}: '{run.path}' was trained on {len(seen)} of the photos now in val or test, "
            f"first '{seen[0]}'"
        )
        if not allowed:
            raise DataError(
                f"{line}; leave the data settings out to take over its own split, "
                "or accept flattering figures with data.allow_leakage=true"
            )
        lines.append(f"{line}: figures will flatter")
    return lines


def _lineage(run: RunFolder) -> Iterator[RunFolder]:
    """A run, the one it came from, and so on; one that is gone can no longer be asked."""
    seen: set[Path] = set()
    while run.path.resolve() not in seen and (run.path / "config.yaml").is_file():
        seen.add(run.path.resolve())
        yield run
        origin = run.load_config().from_run
        if origin is None:
            return
        run = RunFolder(Path(origin))


def _load(run: RunFolder) -> Manifest:
    return run.load_manifest(run.load_config().data.root)
