"""What a run of each task does differently: one module a task, chosen by its name."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast

if TYPE_CHECKING:
    from torch import nn

    from osprey.config.schema import TrainConfig
    from osprey.data.manifest import Manifest
    from osprey.ensembling.ensemble import Combined
    from osprey.models.checkpoint import CheckpointMetadata
    from osprey.runs.folder import RunFolder
    from osprey.tasks.base import Task


class Kind(Protocol):
    """What training, testing and printing ask of a task's module."""

    def make_task(
        self,
        model: nn.Module,
        metadata: CheckpointMetadata,
        config: TrainConfig,
        manifest: Manifest,
    ) -> Task:
        """The LightningModule that trains ``model``."""
        ...

    def conclude(
        self, run: RunFolder, config: TrainConfig, manifest: Manifest, combined: Combined | None
    ) -> dict[str, Any]:
        """Finish best.ckpt by what validation says; ``val`` and more for the summary."""
        ...

    def test(
        self,
        checkpoint: Path,
        config: TrainConfig,
        manifest: Manifest,
        split: str,
        predictions: Path,
        tta: str = "none",
    ) -> dict[str, Any]:
        """Figures of a checkpoint on a split, as plain data; what it answered into a table."""
        ...

    def metrics_line(self, figures: Mapping[str, Any]) -> str:
        """The headline figures of one split."""
        ...

    def per_class_table(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Print a line a class."""
        ...

    def settings_line(self, summary: Mapping[str, Any]) -> str:
        """What was chosen on validation and goes with the weights."""
        ...

    def draw_pictures(self, run: RunFolder, config: TrainConfig, manifest: Manifest) -> None:
        """Write what the report shows of photos into the folder ``plots``."""
        ...


def kind_of(task: str) -> Kind:
    """The module of a task."""
    return cast(Kind, importlib.import_module(f"osprey.tasks.{task}.plugin"))
