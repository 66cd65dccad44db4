"""How to build a network, as plain data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class ModelSpec:
    """Plain data that says how to build a network; stored in checkpoints."""

    factory: str
    name: str
    options: Mapping[str, Any]

    def to_dict(self) -> dict[str, Any]:
        """Plain data for a checkpoint."""
        return {"factory": self.factory, "name": self.name, "options": dict(self.options)}
