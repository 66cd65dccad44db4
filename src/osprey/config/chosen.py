"""What the options that a job chose make of a group alone; while Hydra runs the job."""

from __future__ import annotations

from typing import Any, cast

from hydra import compose
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
