"""Settings of ``task=classification``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from osprey.config.fields import check_choice, setting
from osprey.config.schema import TaskConfig

LOSSES = ("cross_entropy", "focal", "class_balanced")


@dataclass
class Settings(TaskConfig):
    """Loss and metrics of a classifier."""

    target: str = setting(
        "osprey.tasks.classification.module.Classification", "the module, or a subclass of it"
    )
    name: str = setting("classification")
    loss: Any = setting("cross_entropy", f"{', '.join(LOSSES)}, or _target_ of a loss of your own")
    label_smoothing: float = setting(
        0.0, "share of the target spread over all classes", low=0, high=0.99
    )
    focal_gamma: float = setting(2.0, "focal only: how much easy samples are discounted", low=0)
    class_weights: str = setting(
        "none", "by the inverse of the count, or its root", choices=("none", "sqrt", "balanced")
    )
    metrics: dict[str, Any] = setting({}, "further metrics: a name and _target_ each")

    def check(self) -> None:
        """Check that ``loss`` is one of Osprey's or a node.

        Raises:
            ConfigError: It is neither.
        """
        if not isinstance(self.loss, dict):
            check_choice("task.loss", str(self.loss), LOSSES)
