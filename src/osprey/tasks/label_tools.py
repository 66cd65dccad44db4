"""What a task tells of labels: how many are enough, which are wrong, which to make next."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from osprey.errors import ConfigError, UserError

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


class LabelTools:
    """Part of `TaskPlugin`; the defaults are those of a task that cannot tell."""

    noun: ClassVar[str]

    def learning_lines(
        self,
        module: pl.LightningModule,
        data: DataModule,
        device: torch.device,
        fractions: Sequence[float],
        repeats: int,
    ) -> list[Line]:
        """How the figures grow with the number of training photos.

        Args:
            module: From `build_module`, with the weights that a training would start from.
            data: The data.
            device: Device to compute on.
            fractions: Of the training photos, ascending, above 0 to 1.
            repeats: Sets of each size below 1.

        Returns:
            A line for all, then one a class.

        Raises:
            ConfigError: The task has no learning curve.
        """
        raise ConfigError(f"{self.noun} has no learning curve yet: it is for task=classification")

    def label_suspects(self, run: RunFolder, config: TrainConfig, manifest: Manifest) -> Suspects:
        """Labels of a run's photos, or boxes on them, that are probably wrong.

        Args:
            run: The run.
            config: Its settings.
            manifest: Its samples.

        Raises:
            UserError: The task cannot tell.
        """
        raise self._no_suspects()

    def apply_decisions(self, file: Path, manifest: Manifest, run: Path) -> Decided:
        """Apply a person's decisions about suspects. Without torch.

        Args:
            file: The edited table of `label_suspects`.
            manifest: The run's samples.
            run: Its folder, for messages.

        Raises:
            UserError: The task cannot tell, or the table is not of that run.
        """
        raise self._no_suspects()

    def _no_suspects(self) -> UserError:
        return UserError(
            f"{self.noun} does not tell which labels are wrong yet: it is for task=classification "
            "or detection"
        )

    def next_photos(
        self, run: RunFolder, config: TrainConfig, root: Path, paths: list[str], count: int
    ) -> list[NextPhoto]:
        """Which photos should be labelled next.

        Args:
            run: A run with a checkpoint.
            config: Its settings.
            root: Folder of the photos.
            paths: Photos below it that can be read and that the run does not know.
            count: How many are wanted.

        Raises:
            UserError: The task cannot tell.
        """
        raise UserError(f"{self.noun} does not choose photos yet: it is for task=classification")
