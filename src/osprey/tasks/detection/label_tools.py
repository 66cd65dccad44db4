"""What a detector tells of the boxes that people drew."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from osprey.tasks.plugin import TaskPlugin

if TYPE_CHECKING:
    from osprey.config.schema import TrainConfig
    from osprey.data.manifest import Manifest
    from osprey.runs.folder import RunFolder
    from osprey.tasks.decisions import Decided
    from osprey.tasks.suspects import Suspects


class BoxLabelTools(TaskPlugin):
    """Part of `DetectionTask`."""

    def label_suspects(self, run: RunFolder, config: TrainConfig, manifest: Manifest) -> Suspects:
        """Boxes that the run contradicts on photos that it was not trained on."""
        from osprey.tasks.detection.suspects import find_suspects

        return find_suspects(run, config, manifest)

    def apply_decisions(self, file: Path, manifest: Manifest, run: Path) -> Decided:
        """Other boxes."""
        from osprey.tasks.detection.decisions import decided

        return decided(file, manifest, run)
