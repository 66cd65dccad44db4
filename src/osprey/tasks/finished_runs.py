"""The interface of a task, second half: what is done with its finished runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from osprey.errors import UserError
from osprey.tasks.specs import PairedDifference, ReportPage

if TYPE_CHECKING:
    import argparse

    import torch
    from torch import nn

    from osprey.config.schema import TrainConfig
    from osprey.data.manifest import Manifest
    from osprey.reports.run_record import RunRecord
    from osprey.runs.folder import RunFolder


class FinishedRuns:
    """Base of `osprey.tasks.plugin.TaskPlugin`: reports and answers.

    Attributes:
        name: Value of ``task.name``.
        supports_video: ``predict --video`` and ``--camera``.
        supports_boxes: ``predict`` takes ``--min-score`` and ``--save-dir``.
        formats: Values of ``predict --format``.
        columns: Fields of a prediction's record that ``predict --format csv`` writes.
    """

    name: ClassVar[str]
    supports_video: ClassVar[bool] = False
    supports_boxes: ClassVar[bool] = False
    formats: ClassVar[tuple[str, ...]] = ()
    columns: ClassVar[tuple[str, ...]] = ("file", "failure")

    def draw_pictures(self, run: RunFolder, config: TrainConfig, manifest: Manifest) -> None:
        """Write the report's pictures of photos to the folder ``plots``."""

    def report(self, record: RunRecord) -> ReportPage:
        """The report's page of a finished run, from its folder's files alone. Without torch."""
        raise NotImplementedError

    def paired_difference(
        self, first: RunFolder, second: RunFolder, split: str, key: str
    ) -> PairedDifference | None:
        """How far apart two runs are on the samples that both were tested on. Without torch.

        Args:
            first: A finished run.
            second: Another.
            split: ``val`` or ``test``.
            key: Of a metric.

        Returns:
            Second minus first; None where that cannot be said.
        """
        return None

    def changed_answers(
        self, first: RunFolder, second: RunFolder, split: str
    ) -> list[dict[str, str]] | None:
        """The samples to which two runs answer otherwise.

        Args:
            first: A finished run.
            second: Another.
            split: ``val`` or ``test``.

        Returns:
            ``path``, ``label``, ``first`` and ``second`` of each; None where the task's answers are
            not compared.
        """
        return None

    def load_network(self, run: RunFolder) -> nn.Module:
        """The network of a run's best checkpoint, in evaluation mode on the CPU."""
        from osprey.models.checkpoint import load_model

        return load_model(run.best)[0]

    def predictor(
        self, checkpoint: Path, device: torch.device | None = None, **options: Any
    ) -> Any:
        """The predictor of a trained model: ``predictor.predict(files)``.

        `osprey.tasks.predictor.PhotoPredictor` is a base class: each answer has
        ``record(classes)``, plain data, and ``failure``, why a file cannot be read.

        Args:
            checkpoint: A checkpoint of the task.
            device: Device to compute on; default the CPU.
            **options: The predictor's own.

        Raises:
            UserError: The task has none.
        """
        raise UserError(
            f"a checkpoint of task={self.name} has no predictor: give its task a TaskPlugin "
            "(docs/extend.md)"
        )

    def predict(self, arguments: argparse.Namespace, run: RunFolder, photos: list[Path]) -> int:
        """Predict photos as ``osprey predict`` does; returns the exit code.

        One photo's record is printed as JSON, those of a folder become a table.

        Args:
            arguments: The command line.
            run: Its best checkpoint is used.
            photos: One, or those of a folder.

        Raises:
            UserError: The task has none.
        """
        if type(self).predictor is FinishedRuns.predictor:
            raise UserError(
                f"run '{run.path}' was trained for task={self.name}, which has no predictor: give "
                "its task a TaskPlugin (docs/extend.md)"
            )
        from osprey.system.devices import pick_device
        from osprey.tasks.answers import answer_photos

        # One photo is answered sooner without waking a GPU; many are worth it.
        predictor = self.predictor(run.best, pick_device("cpu" if arguments.image else "auto"))
        return answer_photos(arguments, photos, predictor, self.columns)

    def predict_video(self, arguments: argparse.Namespace, run: RunFolder) -> int:
        """Predict the frames of ``--video`` or ``--camera``; returns the exit code."""
        raise NotImplementedError
