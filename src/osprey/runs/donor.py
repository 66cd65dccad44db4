"""A new run that starts from another: the settings it inherits. No torch."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import fields
from pathlib import Path

from osprey.config.schema import DataConfig, TrainConfig
from osprey.errors import ConfigError, UserError
from osprey.runs.folder import RunFolder, find_run
from osprey.runs.learnt import earlier_manifest

_NETWORK = ("target", "name", "backbone", "options", "args")
_INPUT = ("size", "mean", "std", "value_range")  # what its weights were trained with


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
    words = [re.sub("^from=", "from_run=", word) for word in _without_registry(argv)]  # no `from`
    words = [_registered(word, _path(words, "registry")) for word in words]
    runs = _path(words, "runs")
    return [
        re.sub(r"(?<![\w/.-])latest(?![\w/.-])", lambda _: _newest(runs), word)
        if word.startswith(("from_run=", "model.runs="))
        else word
        for word in words
    ]


def _without_registry(argv: Sequence[str]) -> list[str]:
    """``model=registry model.name=NAME`` as the ``from=NAME`` that it means.

    Raises:
        ConfigError: No name is given.
    """
    if "model=registry" not in argv:
        return list(argv)
    names = [word for word in argv if word.startswith("model.name=")]
    if not names:
        raise ConfigError(
            "model=registry: say which bundle's network with model.name=NAME, such as "
            "model.name=fish@champion"
        )
    rest = [word for word in argv if word != "model=registry" and word not in names]
    name = names[-1].partition("=")[2]
    return [f"from={name if '@' in name else f'{name}@'}", *rest]


def _path(words: Sequence[str], name: str) -> str:
    """A folder of ``paths``, as Hydra reads it: the last that is said."""
    named = [word.partition("=")[2] for word in words if word.startswith(f"paths.{name}=")]
    return named[-1] if named else name


def _registered(word: str, root: str) -> str:
    """``from_run=NAME@VERSION`` as the folder of the run that it was registered with."""
    key, _, value = word.partition("=")
    if key != "from_run" or "@" not in value or Path(value).exists():
        return word
    from osprey.inference.registry import REGISTERED_RUN, Registry

    registry = Registry(Path(root))
    name, version = registry.find(value.removesuffix("@"))
    folder = registry.folder(name, version) / REGISTERED_RUN
    if not folder.is_dir():
        raise UserError(
            f"{name}@{version} was registered without its run, which training starts from: "
            "register the run (osprey registry add RUN)"
        )
    return f"from_run={folder}"


def _newest(runs: str) -> str:
    return str(find_run("latest", Path(runs)).path)


def inherit_data(data: DataConfig, said: Collection[str], donor: RunFolder) -> None:
    """Copy the donor's data settings, except those set explicitly, in place.

    Args:
        data: The new run's ``data`` settings.
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
                setattr(data, field.name, getattr(theirs, field.name))
    if not data.root:
        raise ConfigError("data.root is not set: add data.root=VALUE to the command")


def inherit(config: TrainConfig, said: Collection[str], donor: RunFolder) -> None:
    """Copy the donor's network and data settings, except those set explicitly, in place.

    Args:
        config: The new run's.
        said: Keys set on the command line or by a recipe.
        donor: The earlier run.

    Raises:
        UserError: The donor has no checkpoint.
        ConfigError: Another network is set as well, the donor is an ensemble, or its task another.
    """
    if not donor.best.is_file():
        raise UserError(f"from: run '{donor.path}' has no best.ckpt yet: train it first")
    for key in ("model", "model._target_", *(f"model.{k}" for k in (*_NETWORK[1:], "pretrained"))):
        if key in said:
            raise ConfigError(f"{key} cannot be set beside from=RUN: a run brings its own network")
    before = donor.load_config()
    theirs = before.model
    if before.task.name != config.task.name:
        raise ConfigError(
            f"from: run '{donor.path}' was trained for task={before.task.name}, and this one is "
            f"task={config.task.name}: name a run of that task, or add task={before.task.name}"
        )
    if theirs.factory == "ensemble":
        raise ConfigError("from: an ensemble cannot be trained on; name one of its members")
    composed_name = config.name == f"{config.data.name}-{config.model.name}"
    for name in _NETWORK:
        setattr(config.model, name, getattr(theirs, name))
    config.model.pretrained = str(donor.best.resolve())
    inherit_data(config.data, said, donor)
    for name in _INPUT:
        if getattr(config.data, name) is None:
            setattr(config.data, name, getattr(before.data, name))
    if composed_name:  # before it was known whose network and data these are
        config.name = f"{config.data.name}-{config.model.name}"
    config.from_run = str(donor.path.resolve())  # also for a run resumed from elsewhere


def knows_all(donor: RunFolder, classes: Sequence[str]) -> bool:
    """Whether the donor was trained on every one of ``classes``."""
    return set(classes) <= set(earlier_manifest(donor).classes)
