"""A new run that starts from another: what it takes over, and what that forbids. No torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path

from osprey.config.schema import DataConfig, TrainConfig
from osprey.data.manifest import Manifest
from osprey.errors import ConfigError, DataError, UserError
from osprey.training.run_folder import RunFolder

_NETWORK = ("factory", "name", "options")


def settings_said(overrides: Sequence[str]) -> set[str]:
    """The keys that a list of overrides names, such as ``data`` or ``data.root``."""
    return {word.lstrip("+~").partition("=")[0] for word in overrides}


def inherit_data(config: TrainConfig, overrides: Sequence[str], donor: RunFolder) -> None:
    """Take over the donor's data settings, save those that ``overrides`` name, in place."""
    said = settings_said(overrides)
    if "data" in said:
        return
    theirs = donor.load_config().data
    for field in fields(DataConfig):
        key = f"data.{field.name}"
        if not any(word == key or word.startswith(f"{key}.") for word in said):
            setattr(config.data, field.name, getattr(theirs, field.name))


def inherit(config: TrainConfig, overrides: Sequence[str], donor: RunFolder) -> None:
    """Take over the donor's network and data, save what ``overrides`` name, in place.

    Raises:
        UserError: The donor has no checkpoint, or another network is asked for as well.
    """
    if not donor.best.is_file():
        raise UserError(f"from: run '{donor.path}' has no best.ckpt yet: train it first")
    said = settings_said(overrides)
    for key in ("model", *(f"model.{name}" for name in _NETWORK), "model.pretrained"):
        if key in said:
            raise ConfigError(f"{key} cannot be set beside from=RUN: a run brings its own network")
    theirs = donor.load_config().model
    if theirs.factory == "ensemble":
        raise ConfigError("from: an ensemble cannot be trained on; name one of its members")
    for name in _NETWORK:
        setattr(config.model, name, getattr(theirs, name))
    config.model.pretrained = str(donor.best.resolve())
    if "model.head_init" not in said:
        config.model.head_init = "random"  # which the donor's head then replaces
    inherit_data(config, overrides, donor)
    config.from_run = str(donor.path.resolve())  # also for a run resumed from elsewhere


def check_donor(donor: RunFolder, manifest: Manifest, *, allowed: bool, what: str) -> list[str]:
    """Refuse to validate or test on photos that an earlier run has learnt from.

    Args:
        donor: The earlier run.
        manifest: The new run's samples.
        allowed: ``data.allow_leakage``: say it instead.
        what: The setting that names the donor, for the message.

    Returns:
        Lines worth telling the user.

    Raises:
        DataError: Some are, and that is not allowed.
    """
    before = donor.load_manifest(donor.load_config().data.root)
    table = before.table[before.table["split"] == "train"]
    learnt = {str(Path(before.root, path)) for path in table["path"]}
    held = manifest.table[manifest.table["split"].isin(["val", "test"])]
    seen = [path for path in held["path"] if str(Path(manifest.root, path)) in learnt]
    if not seen:
        return []
    line = (
        f"{what}: '{donor.path}' was trained on {len(seen)} of the photos now in val or test, "
        f"first '{seen[0]}'"
    )
    if not allowed:
        raise DataError(
            f"{line}; leave the split settings out to take over its own split, "
            "or accept flattering figures with data.allow_leakage=true"
        )
    return [f"{line}: figures will flatter"]
