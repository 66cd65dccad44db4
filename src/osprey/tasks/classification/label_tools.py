"""What a classifier tells of the labels that people gave."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from osprey.errors import UserError
from osprey.tasks.plugin import TaskPlugin

if TYPE_CHECKING:
    import pytorch_lightning as pl
    import torch

    from osprey.config.schema import TrainConfig
    from osprey.data.datamodule import DataModule
    from osprey.data.manifest import Manifest
    from osprey.runs.folder import RunFolder
    from osprey.tasks.decisions import Decided
    from osprey.tasks.learning_curve import Line
    from osprey.tasks.next_photos import NextPhoto
    from osprey.tasks.suspects import Suspects


class ClassLabelTools(TaskPlugin):
    """Part of `ClassificationTask`."""

    def learning_lines(
        self,
        module: pl.LightningModule,
        data: DataModule,
        device: torch.device,
        fractions: Sequence[float],
        repeats: int,
    ) -> list[Line]:
        """Of heads on frozen features: macro-F1, then each class's F1."""
        from osprey.tasks.classification.module import Classification
        from osprey.tasks.classification.probe.curve import learning_lines
        from osprey.tasks.classification.probe.features import FeatureStore

        assert isinstance(module, Classification)
        store = FeatureStore(module.model, module.metadata.model, data, device, data.cache)
        return learning_lines(store, data.manifest, fractions, repeats)

    def label_suspects(self, run: RunFolder, config: TrainConfig, manifest: Manifest) -> Suspects:
        """By heads on the frozen features that the run began from."""
        if find_spec("cleanlab") is None:
            raise UserError("osprey labels needs cleanlab: pip install 'osprey-vision[data-tools]'")
        from osprey.tasks.classification.probe.suspects import find_suspects, store_of

        return find_suspects(*store_of(run, config, manifest))

    def apply_decisions(self, file: Path, manifest: Manifest, run: Path) -> Decided:
        """Another label, or none."""
        from osprey.tasks.classification.decisions import decided

        return decided(file, manifest, run)

    def next_photos(
        self, run: RunFolder, config: TrainConfig, root: Path, paths: list[str], count: int
    ) -> list[NextPhoto]:
        """By margin, cluster of features, and chance."""
        from osprey.tasks.classification.probe.next_photos import next_photos

        return next_photos(run, config, root, paths, count)
