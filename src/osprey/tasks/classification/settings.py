"""Settings of ``task=classification``."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from osprey.config.fields import check_choice, setting
from osprey.config.schema import TaskConfig
from osprey.config.sources import as_name
from osprey.errors import ConfigError, nearest

WEIGHTS = ("none", "sqrt", "balanced")
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
    class_weights: Any = setting(
        "none", "none, sqrt or balanced by count, or {CLASS: WEIGHT}: the others weigh 1"
    )
    metrics: dict[str, Any] = setting({}, "further metrics: a name and _target_ each")

    def check(self) -> None:
        """Check that ``loss`` is one of Osprey's or a node, and ``class_weights`` words or numbers.

        Raises:
            ConfigError: One is neither.
        """
        if not isinstance(self.loss, dict):
            check_choice("task.loss", str(self.loss), LOSSES)
        if not isinstance(self.class_weights, dict):
            check_choice("task.class_weights", str(self.class_weights), WEIGHTS)
            return
        for name, weight in self.class_weights.items():
            number = isinstance(weight, int | float) and not isinstance(weight, bool)
            if not number or not 0 < weight < math.inf:
                raise ConfigError(
                    f"task.class_weights: '{as_name(name)}' weighs a number above 0, not '{weight}'"
                )

    def check_classes(self, classes: Sequence[str]) -> None:
        """Check that the classes whose weights are named are among those of the data.

        Raises:
            ConfigError: One is not; the line names the nearest.
        """
        for name in self.named_weights:
            if name not in classes:
                hint = nearest(name, classes) or f" (there are: {', '.join(classes)})"
                raise ConfigError(f"task.class_weights: there is no class '{name}'{hint}")

    @property
    def named_weights(self) -> dict[str, float]:
        """The weights of classes that are named; empty where a word stands for all."""
        given = self.class_weights if isinstance(self.class_weights, dict) else {}
        return {as_name(name): float(weight) for name, weight in given.items()}
