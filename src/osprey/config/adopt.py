"""A target of the user's own in the place of an option's: which keys stay, and that they fit.

Keys that the replaced option had set, and that the new signature does not take, go; keys that the
user wrote stay and are checked (names, what is missing, plain types).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any, cast

from omegaconf import DictConfig, OmegaConf, open_dict

from osprey.config.parse import FRAMEWORK, LIGHTNING, base_nodes, is_foreign
from osprey.system.targets import check_arguments, import_target, parameters_of
from osprey.system.trust import targets_in

_KNOWN = ("osprey.", "torch.optim.", "pytorch_lightning.Trainer")  # targets of Osprey's options
# What Osprey fills in at run time, so that a node need not say it.
RUN_TIME: dict[str, tuple[str, ...]] = {
    "model": ("num_classes",),
    "task": ("model", "num_classes", "class_names", "optimizer", "scheduler"),
    "data": (),
    "optimizer": ("params", "lr", "weight_decay"),
    "scheduler": ("optimizer", "total_steps", "T_max", "max_lr", "epochs", "steps_per_epoch"),
}


def names_foreign(cfg: DictConfig) -> bool:
    """Whether any node anywhere names a target that is none of Osprey's own."""
    tree = OmegaConf.to_container(cfg, resolve=False)
    return any(not target.startswith(_KNOWN) for target in targets_in(tree))


def adopt_targets(
    cfg: DictConfig, said: Collection[str], option_of: Callable[[str], Mapping[str, Any]]
) -> None:
    """Take over the targets of the user's own that ``cfg`` names, in place.

    Args:
        cfg: The composed configuration, unresolved.
        said: Keys that the command line sets.
        option_of: Gives a group as its chosen option alone makes it.

    Raises:
        ConfigError: A target cannot be imported, or its arguments do not fit.
    """
    for group in RUN_TIME:
        node = cfg.get(group)
        if not isinstance(node, DictConfig):
            continue
        plain = cast("dict[str, Any]", OmegaConf.to_container(node, resolve=False))
        if group == "task":
            _adopt_task(cfg, plain, said, option_of)
        elif is_foreign(group, plain):
            _adopt(cfg, group, plain, said, option_of)


def _adopt(
    cfg: DictConfig,
    group: str,
    plain: dict[str, Any],
    said: Collection[str],
    option_of: Callable[[str], Mapping[str, Any]],
) -> None:
    target = str(plain["_target_"])
    found = import_target(group, target)
    kept = keep_fitting(group, plain, found, said, option_of(group))
    pretrained = f"{group}.pretrained"
    if group == "model" and pretrained not in said and kept.get("pretrained") is True:
        kept["pretrained"] = False  # there is nothing to download for a network of the user's own
    if f"{group}.name" not in said and "name" not in parameters_of(found):
        own = plain.get("name") not in (option_of(group).get("name"), None, "???")
        kept["name"] = plain["name"] if own else target.rpartition(".")[2]
    with open_dict(cfg):
        cfg[group] = kept
    resolved = OmegaConf.to_container(cfg[group], resolve=True)
    arguments = {
        key: value
        for key, value in cast("dict[str, Any]", resolved).items()
        if key not in (*FRAMEWORK[group], "name", "_target_", "_partial_")
    }
    check_arguments(group, target, found, arguments, RUN_TIME[group])


def _adopt_task(
    cfg: DictConfig,
    plain: dict[str, Any],
    said: Collection[str],
    option_of: Callable[[str], Mapping[str, Any]],
) -> None:
    """A subclass of the chosen task's module keeps its settings; any other module is its own."""
    target = str(plain.get("_target_"))
    option = option_of("task")
    before = option.get("_target_")
    if plain.get("name") == LIGHTNING or (before is not None and before != target):
        found = import_target("task", target)
        base = import_target("task", before) if before and before != target else None
        if base is not None and isinstance(found, type) and issubclass(found, base):
            return
        if before == target:
            option = {}
        with open_dict(cfg):
            cfg.task = {**keep_fitting("task", plain, found, said, option), "name": LIGHTNING}
        tree = cast("dict[str, Any]", OmegaConf.to_container(cfg.task, resolve=True))
        given = {k: v for k, v in tree.items() if k not in ("name", "_target_")}
        check_arguments("task", target, found, given, RUN_TIME["task"])


def keep_fitting(
    key: str,
    plain: Mapping[str, Any],
    found: Callable[..., Any],
    said: Collection[str],
    replaced: Mapping[str, Any],
) -> dict[str, Any]:
    """A node without the keys that only the option it replaces has use for.

    Args:
        key: Where the node stands.
        plain: The node.
        found: What its new target is.
        said: Keys that the command line sets.
        replaced: The node of the option alone.
    """
    takes = parameters_of(found)
    base = base_nodes().get(key, {})

    def goes(name: str, value: Any) -> bool:
        if name in ("_target_", "_partial_") or name in takes or name in FRAMEWORK.get(key, ()):
            return False
        if any(word == f"{key}.{name}" or word.startswith(f"{key}.{name}.") for word in said):
            return False
        changed = replaced.get("_target_") != plain.get("_target_")
        return (changed and name in replaced and replaced[name] == value) or (
            name in base and base[name] == value
        )

    return {name: value for name, value in plain.items() if not goes(name, value)}
