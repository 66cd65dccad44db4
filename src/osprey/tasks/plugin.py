"""The seam of a task: everything that differs between tasks is a method or attribute here.

A task is one package with one subclass of `TaskPlugin`; `osprey.tasks.registry` finds it by name.
Importing a plugin imports no torch: its methods import what they need.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from osprey.errors import CheckpointError, DataError, UserError
from osprey.tasks.specs import MetricSpec as MetricSpec
from osprey.tasks.specs import ReportPage as ReportPage

if TYPE_CHECKING:
    import argparse

    import pytorch_lightning as pl
    import torch
    from torch import nn

    from osprey.config.schema import TrainConfig
    from osprey.data.datamodule import DataModule
    from osprey.data.manifest import Manifest
    from osprey.imaging import Preprocess
    from osprey.models.checkpoint import CheckpointMetadata
    from osprey.reports.run_record import RunRecord
    from osprey.runs.folder import RunFolder


class TaskPlugin:
    """What Osprey asks of a task. The defaults are those of a task that has no such part.

    Attributes:
        name: Value of ``task.name``.
        noun: What a model trained for it is: "a classifier".
        metrics: The figures it is judged by; the first one is monitored unless ``monitor`` is set.
        compared: Further keys of a split's figures that a comparison of two runs shows.
        target: Name of the manifest's target that it learns; None: any.
        min_classes: A data set or checkpoint with fewer is refused.
        own_settings: Settings that no other task knows, and the value that leaves them out.
        own_factories: Model factories whose networks no other task can train.
        writes_predictions: A tested run has a table of predictions.
        supports_from_run: A new run may start from one of its runs (``from=RUN``).
        supports_tta: Test-time augmentation, in ``eval`` and ``predict``.
        supports_video: ``predict --video`` and ``--camera``.
        supports_boxes: ``predict`` takes ``--min-score`` and ``--save-dir``.
        formats: What ``predict --format`` may be.
        columns: Of a prediction's record, what ``predict --format csv`` writes.
        lacks: What the task has no part for, as the end of a sentence about a run; empty: nothing.
    """

    name: ClassVar[str]
    noun: ClassVar[str] = "a model of another task"
    metrics: ClassVar[tuple[MetricSpec, ...]]
    compared: ClassVar[tuple[str, ...]] = ("n",)
    target: ClassVar[str | None] = None
    min_classes: ClassVar[int] = 1
    own_settings: ClassVar[Mapping[str, str | int | float]] = {}
    own_factories: ClassVar[tuple[str, ...]] = ()
    writes_predictions: ClassVar[bool] = True
    supports_from_run: ClassVar[bool] = False
    supports_tta: ClassVar[bool] = False
    supports_video: ClassVar[bool] = False
    supports_boxes: ClassVar[bool] = False
    formats: ClassVar[tuple[str, ...]] = ()
    columns: ClassVar[tuple[str, ...]] = ("file", "failure")
    lacks: ClassVar[str] = ""

    # ------------------------------------------------------------ before training

    def check_config(self, config: TrainConfig) -> None:
        """Refuse settings that the task cannot use. No torch.

        Raises:
            ConfigError: One line that names the setting and what it may be.
        """

    def refuse_factory(self, config: TrainConfig) -> str:
        """What another task says when asked to train one of ``own_factories``."""
        return f"model={config.model.name} is for task={self.name}: add task={self.name}"

    def check_data(self, config: TrainConfig, manifest: Manifest) -> None:
        """Refuse samples that the task cannot learn. No torch.

        Raises:
            DataError: One line that names the data and what to do.
        """
        if self.target is not None and manifest.target.name != self.target:
            has = manifest.target
            raise DataError(f"data={config.data.name} has {has.name}: {has.remedy}")

    def describe_data(self, manifest: Manifest) -> list[str]:
        """Lines on the terminal beside the counts of photos and classes."""
        return []

    def check_augmentation(self, config: TrainConfig) -> None:
        """Refuse augmentation steps that cannot be built. No torch.

        Raises:
            ConfigError: One line that names the step.
        """
        from osprey.augmentation import check_policy

        check_policy(config.augmentation.steps)

    def augmentation(self, config: TrainConfig, preprocess: Preprocess) -> tuple[Any, int]:
        """What makes model inputs of training photos.

        Args:
            config: The run's settings.
            preprocess: How photos become inputs of the size trained with.

        Returns:
            The transform that the dataset of the task's target takes, and the short side in pixels
            that decoding must not go below.
        """
        from osprey.augmentation import Policy

        policy = Policy(config.augmentation.steps, preprocess)
        return policy, policy.decode_side()

    def num_outputs(self, manifest: Manifest) -> int:
        """How many numbers the network answers for a photo: one a class."""
        return len(manifest.classes)

    # ------------------------------------------------------------ training and testing

    def build_module(
        self,
        model: nn.Module,
        metadata: CheckpointMetadata,
        config: TrainConfig,
        manifest: Manifest | None,
    ) -> pl.LightningModule:
        """The LightningModule that trains ``model``.

        Args:
            model: The network, with its pretrained weights.
            metadata: What its checkpoints will say of it.
            config: The run's settings.
            manifest: Its samples; None where the network is only validated and tested.
        """
        raise NotImplementedError

    def prepare_head(
        self,
        module: pl.LightningModule,
        data: DataModule,
        config: TrainConfig,
        device: torch.device,
        *,
        verbose: bool = True,
    ) -> None:
        """Give the head its first weights before a new run's first step, where that is asked for.

        Args:
            module: What `build_module` made; changed in place.
            data: The run's data.
            config: Its settings.
            device: Where to compute.
            verbose: Say on the terminal what came out.
        """

    def finalize(
        self,
        run: RunFolder,
        config: TrainConfig,
        manifest: Any,
        combined: Any = None,
    ) -> dict[str, Any]:
        """Finish best.ckpt by what validation says; called in every process of a run.

        Args:
            run: The trained run.
            config: Its settings.
            manifest: Its samples, a `Manifest`; None where a DataModule of the user's own has them.
            combined: What an ensemble said of validation.

        Returns:
            Plain data for summary.json: ``val``, and what else was decided.
        """
        raise NotImplementedError

    def test(
        self,
        checkpoint: Path,
        config: TrainConfig,
        manifest: Any,
        split: str,
        predictions: Path,
        tta: str = "none",
    ) -> dict[str, Any]:
        """Figures of a checkpoint on a split, as plain data; called in every process of a run.

        `osprey.tasks.evaluation` has the loop, which shares the samples out.

        Args:
            checkpoint: One of the task's.
            config: Settings of its run.
            manifest: The samples.
            split: Which of them to test on.
            predictions: CSV to write what was answered to.
            tta: Test-time augmentation.
        """
        raise NotImplementedError

    def check_checkpoint(self, metadata: CheckpointMetadata, path: Path) -> None:
        """Refuse a checkpoint that describes itself as the task never does.

        Raises:
            CheckpointError: It has too few classes.
        """
        if len(metadata.classes) < self.min_classes:
            raise CheckpointError(
                f"checkpoint '{path}' describes itself in a way Osprey never writes"
            )

    # ------------------------------------------------------------ what is shown

    def metrics_line(self, figures: Mapping[str, Any]) -> str:
        """The headline figures of one split."""
        return ", ".join(
            f"{m.name} {figures[m.key]:{m.format}}" for m in self.metrics if m.key in figures
        )

    def per_class_table(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Print a line a class."""

    def settings_line(self, summary: Mapping[str, Any]) -> str:
        """What was chosen on validation and goes with the weights; empty: nothing."""
        return ""

    def draw_pictures(self, run: RunFolder, config: TrainConfig, manifest: Manifest) -> None:
        """Write what the report shows of photos into the folder ``plots``."""

    def report(self, record: RunRecord) -> ReportPage:
        """The report's page of a finished run, from its folder's files alone. No torch."""
        raise NotImplementedError

    # ------------------------------------------------------------ prediction

    def load_network(self, run: RunFolder) -> nn.Module:
        """The network of a run's best checkpoint, in evaluation mode on the CPU."""
        from osprey.models.checkpoint import load_model

        return load_model(run.best)[0]

    def predictor(
        self, checkpoint: Path, device: torch.device | None = None, **options: Any
    ) -> Any:
        """What answers about photos with a trained model: ``predictor.predict(files)``.

        `osprey.tasks.predictor.PhotoPredictor` is a base for it: what it says of a photo has a
        ``record(classes)``, plain data, and ``failure``, why a file cannot be read.

        Args:
            checkpoint: One of the task's.
            device: Where to compute; the CPU unless told otherwise.
            **options: The predictor's own.

        Raises:
            UserError: The task has none.
        """
        raise UserError(
            f"a checkpoint of task={self.name} has no predictor: give its task a TaskPlugin "
            "(docs/extend.md)"
        )

    def predict(self, arguments: argparse.Namespace, run: RunFolder, photos: list[Path]) -> int:
        """Answer about photos as ``osprey predict`` says; returns the exit code.

        One photo's record is printed as JSON, those of a folder become a table. A task that
        overrides this prints and writes in its own way.

        Args:
            arguments: The command line.
            run: Whose best checkpoint answers.
            photos: One, or those of a folder.

        Raises:
            UserError: The task has no predictor.
        """
        if type(self).predictor is TaskPlugin.predictor:
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
        """Answer about the frames of ``--video`` or ``--camera``; returns the exit code."""
        raise NotImplementedError
