"""What a recipe leaves open and nobody has set: chosen by the data, printed and kept. No torch."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from osprey.config.schema import TrainConfig
from osprey.data.manifest import Manifest
from osprey.system.console import say
from osprey.tasks.registry import get_task
from osprey.tasks.specs import Decision

DECISIONS = "decisions.json"  # in the run folder


def fit_to_data(config: TrainConfig, manifest: Manifest, unset: Collection[str]) -> list[Decision]:
    """Let the task choose, and print its choices as a table.

    Args:
        config: Changed in place.
        manifest: The samples, split.
        unset: The settings that it may choose.

    Returns:
        The choices that were made.
    """
    found = get_task(config.task.name).fit_to_data(config, manifest, unset)
    made = [decision for decision in found if _may_choose(config, decision.setting, unset)]
    for decision in made:
        _set(config, decision.setting, decision.value)
    width = max((len(f"{d.setting}={d.value}") for d in made), default=0)
    for decision in made:
        said = f"{decision.setting}={decision.value}"
        say(f"chosen  {said:<{width}}  {decision.because}")
    return made


def _may_choose(config: TrainConfig, setting: str, unset: Collection[str]) -> bool:
    """Whether nobody has set it; options of the network are a tree of their own."""
    head = "model.options."
    if setting.startswith(head):
        return setting.removeprefix(head) not in (config.model.options or {})
    return setting in unset


_TOO_FAST = 2e-3  # for Adam and its kin, which move every weight by about the rate


def harmful_rate(config: TrainConfig) -> str:
    """A line for a rate that has driven networks with held BatchNorm to one answer; else empty."""
    model, optimizer = config.model, config.optimizer
    held = model.freeze_batchnorm and model.pretrained is not False and model.freeze != "backbone"
    slowed = optimizer.layer_decay < 1 or "adam" not in optimizer.name
    if not held or slowed or optimizer.lr < _TOO_FAST:
        return ""
    return (
        f"note    optimizer.lr={optimizer.lr:g} for all layers while BatchNorm is held "
        "(model.freeze_batchnorm=true) has driven networks to one answer for every photo: lower "
        "it, or add optimizer.layer_decay=0.9"
    )


def _set(config: TrainConfig, setting: str, value: Any) -> None:
    group, name, *rest = setting.split(".")
    node = getattr(config, group)
    if rest:
        value = {**(getattr(node, name) or {}), rest[0]: value}
    setattr(node, name, value)
