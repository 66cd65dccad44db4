"""Settings of ``task=detection``."""

from __future__ import annotations

from dataclasses import dataclass

from osprey.config.fields import setting
from osprey.config.schema import TaskConfig


@dataclass
class Settings(TaskConfig):
    """A detector's losses are its network's own."""

    target: str = setting(
        "osprey.tasks.detection.module.Detection", "the module, or a subclass of it"
    )
    name: str = setting("detection")
