"""Settings of ``task=detection``."""

from __future__ import annotations

from dataclasses import dataclass

from osprey.config.fields import setting
from osprey.config.schema import TaskConfig


@dataclass
class Settings(TaskConfig):
    """Settings of a detector; the losses are the network's own."""

    target: str = setting(
        "osprey.tasks.detection.module.Detection", "the module, or a subclass of it"
    )
    name: str = setting("detection")
