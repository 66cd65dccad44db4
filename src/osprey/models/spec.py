"""How to build a network, and what it was made for, as plain data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

IMAGENET = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # mean and std of its photos


@dataclass(frozen=True)
class ModelSpec:
    """Plain data that says how to build a network; stored in checkpoints.

    Attributes:
        factory: ``timm``, ``simple_cnn``, ``detector``, ``ensemble``, or a dotted import path.
        name: Name of the model within its factory.
        options: Keyword arguments, plain values.
    """

    factory: str
    name: str
    options: Mapping[str, Any]

    def to_dict(self) -> dict[str, Any]:
        """Plain data for a checkpoint."""
        return {"factory": self.factory, "name": self.name, "options": dict(self.options)}


@dataclass(frozen=True)
class InputSettings:
    """The input a network was made for.

    Attributes:
        size: Side in pixels.
        mean: Of RGB in 0..1.
        std: Of RGB in 0..1.
        crop_pct: Share of the short side that a centre crop keeps, 0 to 1.
    """

    size: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    crop_pct: float
