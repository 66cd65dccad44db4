"""The interface of a task, second half: what is done with its finished runs."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from osprey.errors import BundleError, UserError
from osprey.tasks.specs import ChangedGroup, PairedDifference, ReportPage

if TYPE_CHECKING:
    import argparse

    import torch
    from numpy.typing import NDArray
    from torch import nn

    from osprey.config.schema import TrainConfig
    from osprey.data.manifest import Manifest
    from osprey.inference.card import Card
    from osprey.inference.reader import Answer
    from osprey.models.checkpoint import CheckpointMetadata
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
        reader: Dotted name of the class that reads a bundle's outputs
            (`osprey.inference.reader.Reader`); empty: its networks are not exported.
        output_names: Of an exported network's outputs.
    """

    name: ClassVar[str]
    supports_video: ClassVar[bool] = False
    supports_boxes: ClassVar[bool] = False
    formats: ClassVar[tuple[str, ...]] = ()
    columns: ClassVar[tuple[str, ...]] = ("file", "failure")
    reader: ClassVar[str] = ""
    output_names: ClassVar[tuple[str, ...]] = ("scores",)

    def draw_pictures(self, run: RunFolder, config: TrainConfig, manifest: Manifest) -> None:
        """Write the report's pictures of photos to the folder ``plots``."""

    def report(self, record: RunRecord) -> ReportPage:
        """The report's page of a finished run, from its folder's files alone. Without torch."""
        raise NotImplementedError

    def paired_differences(
        self, first: RunFolder, second: RunFolder, split: str, keys: Collection[str]
    ) -> dict[str, PairedDifference]:
        """How far apart two runs are on the samples that both were tested on. Without torch.

        Args:
            first: A finished run.
            second: Another.
            split: ``val`` or ``test``.
            keys: Of metrics.

        Returns:
            Second minus first, by key; without those of which that cannot be said.

        Raises:
            UserError: Their answers cannot be compared one by one; it says why.
        """
        return {}

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
            no single words.

        Raises:
            UserError: As `paired_differences`.
        """
        return None

    def changed_photos(self, first: RunFolder, second: RunFolder, split: str) -> list[ChangedGroup]:
        """The photos to look at of those that two runs answer otherwise, in groups. Without torch.

        Args:
            first: A finished run.
            second: Another.
            split: ``val`` or ``test``.

        Returns:
            The groups, also those without a photo; none where the task's answers are not compared.

        Raises:
            UserError: As `paired_differences`.
        """
        return []

    def load_network(self, run: RunFolder) -> nn.Module:
        """The network of a run's best checkpoint, in evaluation mode on the CPU."""
        from osprey.models.checkpoint import load_model

        return load_model(run.best)[0]

    def exported(self, model: nn.Module, metadata: CheckpointMetadata) -> nn.Module:
        """The network of a bundle.

        Args:
            model: The trained network.
            metadata: Of its checkpoint.

        Returns:
            From normalised float [B, 3, S, S] to the tensors [B, ...] that ``reader`` reads.

        Raises:
            BundleError: Its answers cannot be read without PyTorch.
        """
        if not self.reader:
            raise BundleError(
                f"task={self.name} has no reader of answers: give its TaskPlugin one "
                "(docs/extend.md)"
            )
        return model

    def with_features(
        self, network: nn.Module, metadata: CheckpointMetadata, count: int
    ) -> nn.Module:
        """The network of ``exported`` with one further output: features of a photo [B, count].

        Raises:
            BundleError: The task's networks have none to tell.
        """
        raise BundleError(f"--features is not for task={self.name}")

    def reader_options(self, network: nn.Module) -> dict[str, Any]:
        """Plain data that the reader needs beside the outputs of ``exported``'s network."""
        return {}

    def uncut(self, card: Card) -> Card:
        """The card by which the reader leaves nothing out of an answer that metrics need."""
        return card

    def bundle_figures(
        self, card: Card, answers: Sequence[Any], part: Manifest
    ) -> dict[str, float]:
        """The main metrics of a reader's answers, by their keys.

        Args:
            card: The bundle's.
            answers: About N photos, read by the ``uncut`` card.
            part: The same samples in the same order.
        """
        raise NotImplementedError

    def same_answer(self, card: Card, one: Answer, other: Answer) -> bool:
        """Whether two answers about a photo, read by the ``uncut`` card, say the same."""
        return one.labels(card.classes) == other.labels(card.classes)

    def comparable(self, card: Card, outputs: Sequence[NDArray[Any]]) -> Sequence[NDArray[Any]]:
        """The outputs of two runtimes as numbers that can be compared one by one."""
        return outputs

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

    def predict(self, arguments: argparse.Namespace, run: RunFolder, photos: Sequence[Path]) -> int:
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
