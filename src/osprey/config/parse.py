"""From the composed tree to typed settings, and back to a tree for the run folder."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any, TypeVar, cast

from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException

from osprey.config.errors import explain, unknown_key
from osprey.config.fields import UNSET, check_fields, defaults
from osprey.config.groups.data import DATAMODULE
from osprey.config.groups.model import FACTORIES
from osprey.config.groups.sweep import Sweep, SweepConfig
from osprey.config.quoting import escaped
from osprey.config.schema import (
    GROUPS,
    CostConfig,
    DataConfig,
    EvalConfig,
    RunSettings,
    TaskConfig,
    TrainConfig,
)
from osprey.config.text_settings import refuse_changed_text, with_text_keys
from osprey.errors import ConfigError
from osprey.system.plugins import loaded_plugins

T = TypeVar("T")
LIGHTNING = "lightning"  # the task's name where its module is a LightningModule of the user's own

# Of a target of the user's own Osprey reads these settings; all others are the target's arguments.
FRAMEWORK: dict[str, tuple[str, ...]] = {
    "task": (),
    "data": (),
    "model": (
        *("pretrained", "freeze", "freeze_stages", "freeze_batchnorm", "suggested_lr"),
        *("head_init", "probe_views"),
    ),
    "optimizer": ("lr", "weight_decay", "layer_decay"),
    "scheduler": ("interval",),
}
_OWN: dict[str, tuple[str, ...]] = {
    "data": (DATAMODULE,),
    "model": tuple(FACTORIES.values()),
    "optimizer": ("osprey.tasks.optim.create_optimizer",),
    "scheduler": ("osprey.tasks.optim.create_scheduler",),
}
_FOREIGN_PREFIXES = ("task.", "data.")
# Groups that take further entries beside Osprey's own settings.
_OPEN = ("task", "model", "optimizer", "scheduler", "trainer", "callbacks", "logger")


def is_foreign(group: str, node: Mapping[str, Any]) -> bool:
    """Whether a group's node names a target that is none of Osprey's own."""
    if group == "task":
        return node.get("name") == LIGHTNING
    target = node.get("_target_")
    return group in _OWN and target is not None and target not in _OWN[group]


def task_settings(node: Mapping[str, Any]) -> type[Any]:
    """The dataclass of a task's own settings, in the package of its module.

    A task that keeps no ``settings`` module takes what its LightningModule takes.
    """
    target, name = str(node.get("_target_") or ""), str(node.get("name") or "")
    package = target.rpartition(".")[0].rpartition(".")[0]
    for place in (f"osprey.tasks.{name}.settings", f"{package}.settings"):
        known = place.startswith("osprey.") or package in loaded_plugins()
        if known and _exists(place):
            return cast("type[Any]", importlib.import_module(place).Settings)
    return TaskConfig


def _exists(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except (ModuleNotFoundError, ValueError):
        return False


def complete(cfg: DictConfig) -> None:
    """Give foreign nodes a name and the settings that Osprey reads of them, in place.

    They may come from a YAML of three lines, which names no more than the target.
    """
    for group in GROUPS:
        if not isinstance(cfg.get(group), DictConfig | None):
            raise ConfigError(
                f"{group}: it is a group of settings, and '{cfg.get(group)}' is none: choose an "
                f"option ({group}=NAME), or set {group}.NAME=VALUE"
            )
    for group, keys in FRAMEWORK.items():
        node = cfg.get(group)
        if not isinstance(node, DictConfig) or not is_foreign(group, _plain(node)):
            continue
        base = base_nodes().get(group, {})
        with open_dict(node):
            for key in keys:
                if key not in node:
                    node[key] = False if key == "pretrained" else base[key]
            if "name" not in node or OmegaConf.is_missing(node, "name"):
                node["name"] = str(_plain(node)["_target_"]).rpartition(".")[2]


def _plain(node: DictConfig) -> dict[str, Any]:
    return cast("dict[str, Any]", OmegaConf.to_container(node, resolve=False))


def typed(cfg: DictConfig) -> TrainConfig:
    """The composed configuration of a training, every value of its declared type.

    Raises:
        ConfigError: A key is unknown, a value has the wrong type, or a mandatory one is missing.
    """
    tree = _resolved(cfg)
    _refuse_unset(tree)
    values = {
        group: _group(group, tree.pop(group, {}) or {}, settings)
        for group, settings in GROUPS.items()
    }
    root = _merge(RunSettings, tree, "")
    return TrainConfig(**vars(root), **values)


def typed_eval(cfg: DictConfig) -> EvalConfig:
    """The composed configuration of an evaluation.

    Raises:
        ConfigError: As `typed`.
    """
    tree = _resolved(cfg)
    _refuse_unset(tree)
    return _merge(EvalConfig, tree, "", EvalConfig)


def typed_sweep(cfg: DictConfig) -> SweepConfig:
    """The composed settings of a sweep.

    Raises:
        ConfigError: As `typed`, and where one is out of its range.
    """
    tree = _resolved(cfg.sweep)
    found = _merge(SweepConfig, tree, "sweep.", Sweep)
    check_fields(found, "sweep.")
    return found


def typed_cost(cfg: DictConfig) -> CostConfig:
    """The composed settings of a sweep's cost.

    Raises:
        ConfigError: As `typed_sweep`.
    """
    found = _merge(CostConfig, _resolved(cfg.cost), "cost.")
    check_fields(found, "cost.")
    return found


def base_sweep() -> dict[str, Any]:
    """The ``_base`` option of the group ``sweep``, which brings Osprey's sweeper with it."""
    own = {"defaults": ["_self_", {"override /hydra/sweeper@_global_.hydra.sweeper": "osprey"}]}
    return {**own, **defaults(SweepConfig)}


def typed_data(node: Mapping[str, Any], prefix: str) -> DataConfig:
    """The data settings of a part of a configuration, such as of one source of ``data=join``.

    Args:
        node: The settings, resolved.
        prefix: Where they stand, for messages.

    Raises:
        ConfigError: As `typed`.
    """
    return _merge(DataConfig, node, prefix)


def _resolved(cfg: DictConfig) -> dict[str, Any]:
    try:
        found = OmegaConf.to_container(cfg, resolve=True, throw_on_missing=False)
    except OmegaConfBaseException as error:
        raise explain(error) from error
    return cast("dict[str, Any]", found)


def _refuse_unset(tree: Mapping[str, Any], prefix: str = "") -> None:
    for key, value in tree.items():
        if value == UNSET:
            raise ConfigError(f"{prefix}{key} is not set: add {prefix}{key}=VALUE to the command")
        if isinstance(value, dict):
            _refuse_unset(value, f"{prefix}{key}.")


def _group(group: str, node: Any, settings: type[Any]) -> Any:
    """One group's settings; what its dataclass does not know are arguments of its target."""
    if not isinstance(node, dict):
        raise ConfigError(f"{group}: {node!r} stands where its settings should")
    node = _as_written_before(group, dict(node))
    if group == "task":
        settings = task_settings(node)
    names = {f.name for f in fields(settings)}
    if is_foreign(group, node):
        names &= {"name", *FRAMEWORK[group]}
    known = {key: value for key, value in node.items() if key in names}
    rest = {key: v for key, v in node.items() if key not in names and key != "_target_"}
    if "_target_" in node and any(f.name == "target" for f in fields(settings)):
        known["target"] = node["_target_"]
    if is_foreign(group, node) or (rest and group in _OPEN):
        known["args"] = rest
    elif rest:
        raise unknown_key(f"{group}.{next(iter(rest))}")
    if group == "model" and not is_foreign(group, node) and rest:
        known["options"] = {**(node.get("options") or {}), **known.pop("args")}
    if group == "task" and settings is TaskConfig:
        known.setdefault("name", str(node.get("name") or LIGHTNING))
    return _merge(settings, known, f"{group}.")


def _as_written_before(group: str, node: dict[str, Any]) -> dict[str, Any]:
    """Settings of runs from before targets could be named."""
    if group == "model" and "factory" in node:
        factory = str(node.pop("factory"))
        node.setdefault("_target_", FACTORIES.get(factory, factory))
    if group == "logger":
        for name in node.pop("use", []):
            keys = ("project", "entity", "offline") if name == "wandb" else ()
            own = {key: node[key] for key in keys if key in node}
            node.setdefault(name, {"_target_": f"osprey.engine.loggers.{name}.create", **own})
    return node


def _merge(
    settings: type[T], known: Mapping[str, Any], prefix: str, schema: type[Any] = TrainConfig
) -> T:
    try:
        known = {key: escaped(value) for key, value in with_text_keys(settings, known).items()}
        refuse_changed_text(settings, known, prefix)
        structured = OmegaConf.structured(settings)
        merged = OmegaConf.merge(structured, known)
        unset = sorted(OmegaConf.missing_keys(merged))
        if unset and not (prefix in _FOREIGN_PREFIXES and "args" in known):
            key = f"{prefix}{'_target_' if unset[0] == 'target' else unset[0]}"
            raise ConfigError(f"{key} is not set: add {key}=VALUE to the command")
        if unset:  # settings that Osprey's own target alone reads
            empty: dict[str, Any] = dict.fromkeys(map(str, unset), "")
            merged = OmegaConf.merge(structured, {**empty, **known})  # type: ignore[dict-item]
        return cast(T, OmegaConf.to_object(merged))
    except OmegaConfBaseException as error:
        raise explain(error, schema, prefix) from error


def tree_of(config: Any) -> dict[str, Any]:
    """Typed settings as the tree they were read from, for config.yaml."""
    tree: dict[str, Any] = {}
    for field in fields(config):
        value = getattr(config, field.name)
        if is_dataclass(value):
            tree[field.name] = _node(field.name, value)
        else:
            tree[field.name] = value
    return tree


def _node(group: str, settings: Any) -> dict[str, Any]:
    values = {f.name: getattr(settings, f.name) for f in fields(settings)}
    args = values.pop("args", {})
    target = values.pop("target", None)
    node = {"_target_": target} if target else {}
    if is_foreign(group, {"_target_": target, "name": values.get("name")}):
        values = {k: v for k, v in values.items() if k in ("name", *FRAMEWORK[group])}
    return {**node, **values, **args}


def base_nodes() -> dict[str, dict[str, Any]]:
    """The ``_base`` option of each group: its settings with their defaults."""
    return {group: defaults(kind) for group, kind in GROUPS.items() if group != "task"}
