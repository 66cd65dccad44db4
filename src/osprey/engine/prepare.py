"""From a composed configuration to checked settings and split data. No torch here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from omegaconf import DictConfig, OmegaConf

from osprey.config.compose import recipe_settings, typed
from osprey.config.schema import TrainConfig
from osprey.data.folders import existing_folder
from osprey.data.prepare import Prepared, prepare
from osprey.engine.console import describe_data
from osprey.engine.devices import process_count
from osprey.ensembling.members import find_members, inherit_members
from osprey.errors import DataError
from osprey.runs.donor import check_donor, inherit, keep_split, knows_all
from osprey.runs.folder import RunFolder, find_run
from osprey.tasks.checks import validate_run
from osprey.tasks.registry import get_task


def check_and_prepare(cfg: DictConfig, overrides: Sequence[str]) -> tuple[TrainConfig, Prepared]:
    """The settings, checked, and the data they name, read, split and described.

    Raises:
        UserError: A setting or the data cannot be used.
    """
    config, donor, members, said = _settle(cfg, overrides)
    if not config.data.reader.startswith("harbour"):
        _check_places(config)  # before checks that take a second or two
    task = get_task(config.task.name)
    task.check_augmentation(config)
    prepared = prepare(config.data, Path(config.paths.cache))
    task.check_data(config, prepared.manifest)
    if donor is not None:
        prepared = replace(prepared, manifest=keep_split(prepared.manifest, donor, said))
        known = knows_all(donor, prepared.manifest.classes)
        if known and "model.head_init" not in said:
            config.model.head_init = "random"  # which the donor's own head then replaces
    for run in members if donor is None else [donor]:
        what = "model.runs" if donor is None else "from"
        allowed = config.data.allow_leakage
        prepared.notices.extend(check_donor(run, prepared.manifest, allowed=allowed, what=what))
    samples, left_out = prepared.manifest, len(prepared.unreadable)
    more = task.describe_data(samples)
    describe_data(config.data.name, samples, left_out, prepared.notices, more)
    process_count(config)  # a missing GPU shows before a run is begun
    config.data.root = str(prepared.manifest.root.resolve())
    return config, prepared


def _settle(
    cfg: DictConfig, overrides: Sequence[str]
) -> tuple[TrainConfig, RunFolder | None, list[RunFolder], set[str]]:
    """The typed configuration, the runs it builds on, and the settings somebody has made."""
    builds_on = cfg.from_run is not None or cfg.model.factory == "ensemble"
    if builds_on and OmegaConf.is_missing(cfg.data, "root"):
        cfg.data.root = ""  # an earlier run tells
    config = typed(cfg, TrainConfig)
    said = {word.lstrip("+~").partition("=")[0] for word in overrides}
    if builds_on:
        said |= recipe_settings(cfg)
    donor = None
    if config.from_run is not None:
        donor = find_run(config.from_run, Path(config.paths.runs))
        inherit(config, said, donor)
    validate_run(config)
    members = find_members(config) if config.model.factory == "ensemble" else []
    if members:
        inherit_members(config, said, members)
    return config, donor, members, said


def _check_places(config: TrainConfig) -> None:
    """Refuse a folder of photos that is not there, or that runs would be written into."""
    root = existing_folder(config.data.root).resolve()
    for key in ("runs", "cache"):
        place = Path(getattr(config.paths, key)).expanduser()
        if place.resolve().is_relative_to(root):
            raise DataError(
                f"paths.{key}: '{place}' lies inside data.root '{config.data.root}', where nothing "
                f"is written: run the command elsewhere, or name a folder with paths.{key}=FOLDER"
            )
