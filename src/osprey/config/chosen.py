"""What the options that a job chose make of a group alone; while Hydra runs the job."""

from __future__ import annotations

from typing import Any, cast

from hydra import compose
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from osprey.config.parse import base_nodes


def overrides_of_job() -> list[str]:
    """What the command line sets."""
    found = OmegaConf.to_container(HydraConfig.get().overrides.task, resolve=False)
    return cast("list[str]", found)


def option_node(group: str) -> dict[str, Any]:
    """A group as its chosen option alone makes it, unresolved; while Hydra runs a job.

    Options are chosen by the command line and by recipes.
    """
    choices = HydraConfig.get().runtime.choices
    choice = choices.get(group)
    if choice is None:
        return {}
    cfg = compose("train", overrides=[f"{group}={choice}"])
    return cast("dict[str, Any]", OmegaConf.to_container(cfg[group], resolve=False))


def recipe_settings(cfg: DictConfig) -> set[str]:
    """The data settings that a chosen recipe makes, as keys; ``data`` where it chose the group.

    Only while Hydra runs the job that ``cfg`` belongs to.
    """
    default = "harbour"
    if HydraConfig.get().runtime.choices["data"] != default:
        return {"data"}
    plain = compose("train", overrides=[f"data={default}"]).data
    before, now = (
        cast("dict[str, Any]", OmegaConf.to_container(node, resolve=False))
        for node in (plain, cfg.data)
    )
    return {f"data.{key}" for key, value in now.items() if before.get(key) != value}


_MARK = "${osprey.chosen:"  # a recipe's settings that the data chooses unless something sets them


def open_settings(cfg: DictConfig) -> set[str]:
    """The marked settings that nothing has set; others get the value of their option.

    Only while Hydra runs the job that ``cfg`` belongs to.

    Args:
        cfg: The composed configuration, changed in place.

    Returns:
        As dotted keys: what no recipe on top, no command line, none of this machine's settings
        (``configs/local``) and no option other than the recipe's own has set.
    """
    composed = flat(OmegaConf.to_container(cfg, resolve=False))
    marked = [k for k, v in composed.items() if isinstance(v, str) and v.startswith(_MARK)]
    if not marked:
        return set()
    choices = HydraConfig.get().runtime.choices
    groups = {key.partition(".")[0] for key in marked}
    recipe = compose(
        "train", overrides=[f"experiment={choices['experiment']}"], return_hydra_config=True
    ).hydra.runtime.choices
    mine, usual = (
        flat(OmegaConf.to_container(compose("train", overrides=words), resolve=False))
        for words in (
            [f"{group}={chosen[group]}" for group in sorted(groups)] for chosen in (choices, recipe)
        )
    )
    base = flat({"data": base_nodes()["data"]})  # any form of data is as good as the recipe's
    usual |= {key: value for key, value in base.items() if key in marked}
    chosen_otherwise = [key for key in marked if mine[key] != usual[key]]
    for key in chosen_otherwise:
        OmegaConf.update(cfg, key, mine[key])
    return set(marked) - set(chosen_otherwise)


def flat(tree: Any, prefix: str = "") -> dict[str, Any]:
    """A tree's values by dotted keys; lists and empty nodes are values."""
    if not isinstance(tree, dict) or not tree:
        return {prefix.removesuffix("."): tree}
    return {k: v for key, part in tree.items() for k, v in flat(part, f"{prefix}{key}.").items()}
