"""What the options that a job chose make of a group alone; while Hydra runs the job."""

from __future__ import annotations

from typing import Any, cast

from hydra import compose
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf


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


def settings_beside(cfg: DictConfig, recipe: str) -> set[str]:
    """The settings that differ from what a recipe makes with the same options, as dotted keys.

    They are what the command line, a recipe on top of this one, or this machine's own settings
    (``configs/local``) have set. Only while Hydra runs the job that ``cfg`` belongs to.

    Args:
        cfg: The composed configuration.
        recipe: Name of an option of ``experiment``.
    """
    chosen = HydraConfig.get().runtime.choices
    words = [f"{group}={chosen[group]}" for group in _OF_A_RECIPE if chosen.get(group)]
    if GlobalHydra.instance().config_loader().get_group_options("local"):
        words.append("~local")
    before, now = (
        flat(OmegaConf.to_container(node, resolve=False))
        for node in (compose("train", overrides=[f"experiment={recipe}", *words]), cfg)
    )
    return {key for key, value in now.items() if key not in before or before[key] != value}


_OF_A_RECIPE = ("task", "data", "augmentation", "model", "optimizer", "scheduler", "trainer")


def flat(tree: Any, prefix: str = "") -> dict[str, Any]:
    """A tree's values by dotted keys; lists and empty nodes are values."""
    if not isinstance(tree, dict) or not tree:
        return {prefix.removesuffix("."): tree}
    return {k: v for key, part in tree.items() for k, v in flat(part, f"{prefix}{key}.").items()}
