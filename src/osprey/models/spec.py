"""How to build a network, and what it was made for, as plain data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

IMAGENET = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # mean and std of its photos


@dataclass(frozen=True)
class ModelSpec:
    """Plain data that says how to build a network; stored in checkpoints."""

    factory: str
    name: str
    options: Mapping[str, Any]

    def to_dict(self) -> dict[str, Any]:
        """Plain data for a checkpoint."""
        return {"factory": self.factory, "name": self.name, "options": dict(self.options)}


@dataclass(frozen=True)
class InputSettings:
    """What a network was made for: side in pixels, mean and std of RGB in 0..1, crop share."""

    size: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    crop_pct: float
