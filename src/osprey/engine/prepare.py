"""From a composed configuration to checked settings and split data. No torch here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from osprey.config.adopt import adopt_targets, names_foreign
from osprey.config.bundle_formats import refuse_uninstalled
from osprey.config.check_nodes import check_nodes
from osprey.config.chosen import open_settings, option_node, recipe_settings
from osprey.config.expand_sources import expand_sources
from osprey.config.groups.data import JOIN
from osprey.config.groups.model import FACTORIES
from osprey.config.parse import LIGHTNING, complete, typed
from osprey.config.schema import DataConfig, ModelConfig, PathsConfig, TrainConfig
from osprey.config.sources import place_at, sources_of
from osprey.data.auto import AUTO, resolve_auto
from osprey.data.folders import existing_folder
from osprey.data.join import check_roots
from osprey.data.leakage import check_splits
from osprey.data.prepare import Prepared, prepare
from osprey.engine.console import describe_data
from osprey.engine.devices import process_count
from osprey.engine.fitting import fit_to_data, harmful_rate
from osprey.engine.launch import adapt_to_launcher
from osprey.ensembling.members import find_members
from osprey.errors import ConfigError, DataError
from osprey.runs.donor import inherit, inherit_data, knows_all
from osprey.runs.earlier_split import check_earlier, keep_split
from osprey.runs.folder import RunFolder, check_run_name, find_run
from osprey.system.console import say
from osprey.system.launcher import Place
from osprey.system.paths import home_path
from osprey.system.plugins import load_plugins
from osprey.system.trust import trust_targets
from osprey.tasks.checks import WrongTask, check_own_classes, validate_run
from osprey.tasks.registry import get_task
from osprey.tasks.specs import Decision


def check_and_prepare(
    cfg: DictConfig, overrides: Sequence[str], place: Place | None = None
) -> tuple[TrainConfig, Prepared | None, list[Decision]]:
    """Check the settings, and read, split and describe the data.

    Osprey's own settings are checked before any code of the user's is imported.

    Args:
        cfg: The composed configuration.
        overrides: Overrides of the command line.
        place: Rank and sizes of this process under a launcher.

    Returns:
        The settings and the data, None with a DataModule of the user's own; and which of the
        settings the data chose.

    Raises:
        UserError: A setting or the data cannot be used.
    """
    for line in expand_sources(cfg):
        say(line)
    config, donor, members, said, unset = _checked(cfg, overrides, place)
    if config.data.is_foreign:
        process_count(config.trainer, config.data)
        return config, None, []
    prepared = _prepare(config, donor, members, said)
    samples, left_out = prepared.manifest, len(prepared.unreadable)
    more = get_task(config.task.name).describe_data(samples)
    describe_data(config.data.name, samples, left_out, prepared.notices, more)
    decisions = []
    if unset:
        decisions = fit_to_data(config, samples, unset)
        validate_run(config)
    if warning := harmful_rate(config):
        say(warning)
    process_count(config.trainer, config.data)  # a missing GPU is reported before a run starts
    place_at(config.data, prepared.manifest.root)
    config.data.value_range = list(prepared.value_range) if prepared.value_range else None
    if config.from_run is None:
        _take_statistics(config.model, config.data)
    return config, prepared, decisions


def _take_statistics(model: ModelConfig, data: DataConfig) -> None:
    """Mean and std of the input, where the file of pretrained weights says them and nobody else."""
    file = model.pretrained
    known = data.mean is not None or data.std is not None
    if known or model.factory not in ("timm", "detector") or not isinstance(file, str):
        return
    from osprey.models.normalisation import statistics_of

    found = statistics_of(home_path(file))
    if found is not None:
        data.mean, data.std = list(found[0]), list(found[1])
        say(f"weights say how their photos were normalised: mean {data.mean}, std {data.std}")


def check_settings(cfg: DictConfig, overrides: Sequence[str]) -> None:
    """Check what can be checked of a job before its data is read; ``cfg`` is changed.

    Args:
        cfg: The composed configuration.
        overrides: What the command line sets.

    Raises:
        UserError: A setting cannot be used.
    """
    expand_sources(cfg)
    _checked(cfg, overrides)


def _checked(cfg: DictConfig, overrides: Sequence[str], place: Place | None = None) -> _Read:
    """See `_read`; no data is read."""
    found = _read(cfg, overrides)
    config = found[0]
    check_run_name(config.name)
    if place is not None:
        adapt_to_launcher(config.trainer, place)
    if config.extras.enforce_tags and not config.tags:
        raise ConfigError("tags: extras.enforce_tags=true wants some: add tags=[WORD,...]")
    if config.export is not None:
        refuse_uninstalled(config.export, "export")
    if config.data.is_foreign:
        check_foreign_data(config.task.name)
    elif not str(config.data.reader).startswith("harbour") and not is_fetched(config.data):
        _check_places(config.data, config.paths)  # before checks that take a second or two
    return found


def _prepare(
    config: TrainConfig, donor: RunFolder | None, members: list[RunFolder], said: set[str]
) -> Prepared:
    """The data, read, split and checked against the runs that this one builds on."""
    task = get_task(config.task.name)
    task.check_augmentation(config.augmentation)
    notices: list[str] = []
    try:
        if config.data.reader == AUTO:
            found = resolve_auto(config.data, notices)
            task.check_found(found.target, found.command(config.data.root))
        prepared = prepare(config.data, Path(config.paths.cache), notices)
        task.check_data(config, prepared.manifest)
        if donor is not None or members:
            earlier, what = ([donor], "from") if donor is not None else (members, "model.runs")
            prepared = _fit_to_earlier(prepared, config.data, earlier, what, said)
    except DataError:
        for notice in notices:  # which may be why it is refused
            say(notice)
        raise
    if donor is not None:
        known = knows_all(donor, prepared.manifest.classes)
        if known and "model.head_init" not in said:
            config.model.head_init = "random"  # which the donor's own head then replaces
    return prepared


def _fit_to_earlier(
    prepared: Prepared, config: DataConfig, earlier: list[RunFolder], what: str, said: set[str]
) -> Prepared:
    """The split of the first of these runs, and no photo in val or test that one has learnt."""
    notices, manifest = prepared.notices, prepared.manifest
    manifest = keep_split(manifest, prepared.given, earlier[0], said, notices)
    check_splits(manifest, config, [])
    for run in earlier:
        notices += check_earlier(run, manifest, allowed=config.allow_leakage, what=what)
    return replace(prepared, manifest=manifest)


def is_fetched(data: DataConfig) -> bool:
    """Whether the photos come from elsewhere, into a folder of Osprey's own."""
    return data.unpacked is not None and not data.root


def check_foreign_data(task: str) -> None:
    """Check that a DataModule of the user's own is used with a task of the user's own.

    Args:
        task: Name of the task.

    Raises:
        ConfigError: The task is one of Osprey's, which reads photos itself.
    """
    if task != LIGHTNING:
        raise ConfigError(
            f"data._target_: task={task} reads its photos through Osprey's DataModule: "
            "give a reader (data.reader._target_=...), or a task of your own (task._target_=...)"
        )


# The settings, the runs they build on, which are set explicitly, and which the data may choose.
_Read = tuple[TrainConfig, RunFolder | None, list[RunFolder], set[str], set[str]]


def _read(cfg: DictConfig, overrides: Sequence[str]) -> _Read:
    """The typed configuration, and what it is made of."""
    unset = open_settings(cfg)
    complete(cfg)
    builds_on = cfg.from_run is not None or cfg.model.get("_target_") == FACTORIES["ensemble"]
    if builds_on and OmegaConf.is_missing(cfg.data, "root"):
        cfg.data.root = ""  # taken from the earlier run
    config = typed(cfg)
    if "/" in config.data.name:  # of a set of the hub
        config.name = config.name.replace(config.data.name, config.data.name.replace("/", "-"))
    said = {word.lstrip("+~").partition("=")[0] for word in overrides}
    if builds_on:
        said |= recipe_settings(cfg)
    donor = None
    if config.from_run is not None:
        donor = find_run(config.from_run, Path(config.paths.runs))
        inherit(config, said, donor)
    if config.data.source is not None and config.data.root:
        _existing_root(config.data)  # of a recipe: without its photos no other setting matters
    _validate(config, said)
    members = find_members(config.model.runs, Path(config.paths.runs), config.task.name)
    if members:
        inherit_data(config.data, said, members[0])
        if "name" not in said:  # composed before it was known whose data it is
            config.name = f"{config.data.name}-{config.model.name}"
    if names_foreign(cfg):
        load_plugins(config.plugins)
        trust_targets(OmegaConf.to_container(cfg, resolve=False))
        adopt_targets(cfg, said, option_node)
        adopted = typed(cfg)
        inherited = (
            {"data", "model"} if donor is not None else {"data", "name"} if members else set()
        )
        for key in {"name", "task", "data", "model", "optimizer", "scheduler"} - inherited:
            setattr(config, key, getattr(adopted, key))
        validate_run(config)
    if names_foreign(cfg) or config.trainer.args:
        check_own_classes(config.task, config.data)
        check_nodes(config)
    if "model.suggested_lr" in said:
        unset.discard("optimizer.lr")
    if donor is not None and config.data.size is not None:
        unset.discard("data.size")
    if unset:
        get_task(config.task.name).check_open_settings()
    return config, donor, members, said, unset


def _validate(config: TrainConfig, said: set[str]) -> None:
    """Check all settings; one of another task that a recipe made is the recipe's."""
    try:
        validate_run(config)
    except WrongTask as error:
        recipe = HydraConfig.get().runtime.choices.get("experiment")
        if recipe is None or error.key in said:
            raise
        raise ConfigError(
            f"experiment={recipe} is for task={error.task}: leave it out, or leave out "
            f"task={config.task.name}"
        ) from None


def _check_places(data: DataConfig, paths: PathsConfig) -> None:
    """Refuse a folder of photos that is not there, or that runs would be written into."""
    if data.reader == JOIN:
        check_roots(sources_of(data), data.root)
        read = {f"source '{source.name}'": source.root(data.root) for source in sources_of(data)}
    else:
        read = {f"data.root '{data.root}'": _existing_root(data)}
    for key, (where, root) in product(("runs", "cache"), read.items()):
        place = home_path(getattr(paths, key))
        if place.resolve().is_relative_to(root.resolve()):
            raise DataError(
                f"paths.{key}: '{place}' lies inside {where}, where nothing "
                f"is written: run the command elsewhere, or name a folder with paths.{key}=FOLDER"
            )


def _existing_root(data: DataConfig) -> Path:
    """The folder of the photos; the refusal says where they can be had."""
    try:
        return existing_folder(data.root)
    except DataError as error:
        if data.source is None:
            raise
        raise DataError(
            f"{error}; it can be had from {data.source}: name its folder with data.root=FOLDER"
        ) from None
