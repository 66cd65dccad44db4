"""Nodes of the user's own beside the groups' targets, checked before any data is read."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from osprey.config.parse import LIGHTNING
from osprey.config.schema import TrainConfig
from osprey.errors import ConfigError
from osprey.system.instantiate import arguments_of
from osprey.system.targets import check_arguments, import_target

# What each kind of node may be given at run time, so that a command line need not say it.
_LOGGED = ("monitor", "mode", "dirpath", "save_dir", "run", "config", "hyperparameters")
_AT_RUN_TIME: dict[str, tuple[str, ...]] = {
    "task.loss": ("num_classes", "weight", "label_smoothing"),
    "task.metrics": ("num_classes", "task"),
    "data.reader": ("root", "file", "columns", "filter", "classes"),
    "data.sampler": ("targets",),
    "data.collate": ("samples", "batch"),
    "callbacks": _LOGGED,
    "logger": _LOGGED,
}

# Settings that may be a node.
_SINGLE = (
    *("task.loss", "data.reader", "data.sampler", "data.collate"),
    *("callbacks.early_stopping", "trainer.strategy", "trainer.profiler"),
)


def check_nodes(config: TrainConfig) -> None:
    """Import every node's target, and check its arguments against the signature.

    Raises:
        ConfigError: One line that names the node, the argument and the nearest name.
    """
    for group in ("task", "data"):
        settings = getattr(config, group)
        if config.task.name == LIGHTNING and (group == "task" or config.data.is_foreign):
            for name, value in settings.args.items():
                check_node(f"{group}.{name}", value)
    for key in _SINGLE:
        group, name = key.split(".")
        value = getattr(getattr(config, group), name, None)
        if isinstance(value, Mapping) and "_target_" in value:
            check_node(key, value, _AT_RUN_TIME.get(key, _LOGGED))
    for source in config.data.sources:
        reader = source.get("reader")
        if isinstance(reader, Mapping):
            key = f"data.sources.{source.get('name')}.reader"
            check_node(key, reader, _AT_RUN_TIME["data.reader"])
    several = {
        "task.metrics": getattr(config.task, "metrics", None) or {},
        "callbacks": config.callbacks.args,
        "logger": config.logger.args,
    }
    for group, nodes in several.items():
        for name, node in nodes.items():
            if node is not None:
                check_node(f"{group}.{name}", node, _AT_RUN_TIME[group])
    if config.trainer.args:
        found = import_target("trainer", config.trainer.target)
        check_arguments("trainer", config.trainer.target, found, config.trainer.args)
    _refuse_twins(config.callbacks.args)


def check_node(key: str, value: Any, at_run_time: Collection[str] = ()) -> None:
    """Check one node, and the nodes within it.

    Args:
        key: Where it stands.
        value: Plain data; nothing is done where it is no node and holds none.
        at_run_time: Arguments that are filled in later.

    Raises:
        ConfigError: As `check_nodes`.
    """
    if isinstance(value, list):
        for number, part in enumerate(value):
            check_node(f"{key}.{number}", part)
    if not isinstance(value, Mapping):
        return
    given = arguments_of(value)
    if "_target_" in value:
        target = str(value["_target_"])
        found = import_target(key, target)
        missing_is_fine = bool(value.get("_partial_"))
        check_arguments(key, target, found, given, at_run_time, partial=missing_is_fine)
    for name, part in given.items():
        check_node(f"{key}.{name}", part)


def _refuse_twins(nodes: Mapping[str, Any]) -> None:
    """One callback under two names would act twice."""
    seen: dict[str, str] = {}
    for name, node in nodes.items():
        if node is None:
            continue
        if not isinstance(node, Mapping) or "_target_" not in node:
            raise ConfigError(
                f"callbacks.{name}: a callback of your own is a node: "
                f"+callbacks.{name}._target_=my_pkg.MyCallback"
            )
        target = str(node["_target_"])
        twin = seen.get(target)
        if twin is not None and dict(node) == dict(nodes[twin]):
            raise ConfigError(
                f"callbacks.{name}: '{target}' is switched on twice (also as callbacks.{twin}): "
                "set one of them to null"
            )
        seen[target] = name
