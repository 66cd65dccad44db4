"""The interface of a task: everything that differs between tasks is a method or attribute here.

A task is one package with one subclass of `TaskPlugin`; `osprey.tasks.registry` finds it by name.
Importing a plugin imports no torch: its methods import what they need.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from osprey.errors import CheckpointError, ConfigError, DataError
from osprey.tasks.finished_runs import FinishedRuns
from osprey.tasks.label_tools import LabelTools
from osprey.tasks.specs import Decision as Decision
from osprey.tasks.specs import MetricSpec as MetricSpec
from osprey.tasks.specs import ReportPage as ReportPage

if TYPE_CHECKING:
    import pytorch_lightning as pl
    import torch
    from torch import nn

    from osprey.config.schema import AugmentationConfig, ModelConfig, TrainConfig
    from osprey.data.datamodule import DataModule
    from osprey.data.manifest import Manifest
    from osprey.data.targets import LabelTarget
    from osprey.imaging import Preprocess
    from osprey.models.checkpoint import CheckpointMetadata
    from osprey.runs.folder import RunFolder


class TaskPlugin(FinishedRuns, LabelTools):
    """Base class of tasks. The defaults are those of a task that lacks the feature.

    Attributes:
        noun: What a model trained for it is called: "a classifier".
        metrics: Main metrics; the first one is monitored unless ``monitor`` is set.
        logs: Names of the metrics that the task's own module logs; empty where that is not known.
        compared: Further keys of a split's metrics that a comparison of two runs shows.
        target: Name of the manifest's target that it learns; None: any.
        min_classes: Fewest classes of a data set or checkpoint.
        own_settings: Settings of this task only, with the value that disables each.
        own_factories: Model factories whose networks no other task can train.
        writes_predictions: A tested run has a table of predictions.
        supports_from_run: A new run may start from one of its runs (``from=RUN``).
        supports_tta: Test-time augmentation, in ``eval`` and ``predict``.
        lacks: What the task does not support, as the end of a sentence about a run; empty: nothing.
    """

    noun: ClassVar[str] = "a model of another task"
    metrics: ClassVar[tuple[MetricSpec, ...]]
    logs: ClassVar[tuple[str, ...]] = ()
    compared: ClassVar[tuple[str, ...]] = ("n",)
    target: ClassVar[str | None] = None
    min_classes: ClassVar[int] = 1
    own_settings: ClassVar[Mapping[str, str | int | float]] = {}
    own_factories: ClassVar[tuple[str, ...]] = ()
    writes_predictions: ClassVar[bool] = True
    supports_from_run: ClassVar[bool] = False
    supports_tta: ClassVar[bool] = False
    lacks: ClassVar[str] = ""

    # ------------------------------------------------------------ before training

    def check_config(self, config: TrainConfig) -> None:
        """Check settings for this task. Without torch.

        Raises:
            ConfigError: One line that names the setting and what it may be.
        """

    def refuse_factory(self, model: ModelConfig) -> str:
        """The error of another task that is to train one of ``own_factories``."""
        return f"model={model.name} is for task={self.name}: add task={self.name}"

    def check_data(self, config: TrainConfig, manifest: Manifest) -> None:
        """Check that the task can learn from the samples. Without torch.

        Raises:
            DataError: One line that names the data and what to do.
        """
        if self.target is not None and manifest.target.name != self.target:
            has = manifest.target
            raise DataError(f"data={config.data.name} has {has.name}: {has.remedy}")

    def check_found(self, has: LabelTarget | None, command: str) -> None:
        """Check, before they are read, that the task can learn from samples of this kind.

        Args:
            has: Their kind; None where it is not known.
            command: The training that can.

        Raises:
            DataError: It cannot; the line has the command.
        """
        if has is not None and self.target is not None and has.name != self.target:
            raise DataError(f"the data have {has.name}, not {self.target}: {command}")

    def check_open_settings(self) -> None:
        """Refuse a recipe that leaves settings to the data.

        Raises:
            ConfigError: The task does not choose any (`fit_to_data`).
        """
        if type(self).fit_to_data is TaskPlugin.fit_to_data:
            raise ConfigError(
                f"task={self.name} chooses no settings by the data: leave the recipe out "
                "(experiment=detect is for task=detection)"
            )

    def fit_to_data(
        self, config: TrainConfig, manifest: Manifest, unset: Collection[str]
    ) -> list[Decision]:
        """Choose the settings that a recipe leaves open. Without torch.

        Args:
            config: The composed settings; left as they are.
            manifest: The samples, split.
            unset: Settings that nobody has set; decisions on others are not used.

        Returns:
            A value, and why, for every setting that the task can choose by the data.
        """
        return []

    def describe_data(self, manifest: Manifest) -> list[str]:
        """Lines for the terminal besides the counts of photos and classes."""
        return []

    def check_augmentation(self, augmentation: AugmentationConfig) -> None:
        """Raise a ConfigError for an augmentation step that cannot be built. Without torch."""
        from osprey.augmentation import check_policy

        check_policy(augmentation.steps)

    def augmentation(
        self, augmentation: AugmentationConfig, preprocess: Preprocess
    ) -> tuple[Any, int]:
        """The augmentation of training photos.

        Args:
            augmentation: The run's steps.
            preprocess: Preprocessing at the size of training.

        Returns:
            The transform for the dataset of the task's target, and the short side in pixels that
            decoding must not go below.
        """
        from osprey.augmentation import Policy

        policy = Policy(augmentation.steps, preprocess)
        return policy, policy.decode_side()

    def num_outputs(self, manifest: Manifest) -> int:
        """Number of outputs of the network per photo, by default one per class."""
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
            metadata: Stored in its checkpoints.
            config: The run's settings.
            manifest: Its samples; None if the network is only validated and tested.
        """
        raise NotImplementedError

    def prepare_head(
        self,
        module: pl.LightningModule,
        data: DataModule,
        model: ModelConfig,
        device: torch.device,
        *,
        verbose: bool = True,
    ) -> None:
        """Initialise the head before a new run's first step, if configured.

        Args:
            module: From `build_module`; changed in place.
            data: The run's data.
            model: Which weights the network starts from.
            device: Device to compute on.
            verbose: Print the result.
        """

    def finalize(
        self, run: RunFolder, config: TrainConfig, manifest: Any, combined: Any = None
    ) -> dict[str, Any]:
        """Complete best.ckpt by validation, or just test it there; called in every process.

        Args:
            run: The trained run.
            config: Its settings.
            manifest: Its samples, a `Manifest`; None with a DataModule of the user's own.
            combined: An ensemble's outputs on validation.

        Returns:
            Plain data for summary.json: ``val``, and what was chosen on validation.
        """
        table = run.path / "predictions_val.csv"
        return {"val": self.test(run.best, config, manifest, "val", table)}

    def test(
        self,
        checkpoint: Path,
        config: TrainConfig,
        manifest: Any,
        split: str,
        predictions: Path,
        tta: str = "none",
    ) -> dict[str, Any]:
        """Metrics of a checkpoint on a split; called in every process of a run.

        `osprey.tasks.evaluation` has the loop, which distributes the samples.

        Args:
            checkpoint: A checkpoint of the task.
            config: Settings of its run.
            manifest: The samples.
            split: Which of them to test on.
            predictions: CSV file for the predictions.
            tta: Test-time augmentation.

        Returns:
            The metrics as plain data.
        """
        raise NotImplementedError

    def check_checkpoint(self, metadata: CheckpointMetadata, path: Path) -> None:
        """Check a checkpoint's description.

        Raises:
            CheckpointError: It has too few classes.
        """
        if len(metadata.classes) < self.min_classes:
            raise CheckpointError(f"checkpoint '{path}' has too few classes for task={self.name}")

    def metrics_line(self, figures: Mapping[str, Any]) -> str:
        """The main metrics of one split."""
        return ", ".join(
            f"{m.name} {figures[m.key]:{m.format}}" for m in self.metrics if m.key in figures
        )

    def per_class_table(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Print one line per class."""

    def settings_line(self, summary: Mapping[str, Any]) -> str:
        """What was chosen on validation and belongs to the weights; empty: nothing."""
        return ""

    def blind_figures(self, train: Manifest, part: Manifest) -> dict[str, Any]:
        """The metrics of the best answer about ``part`` that looks at no photo; empty: unknown."""
        return {}

    def remarks(self, figures: Mapping[str, Any]) -> dict[str, str]:
        """Lines beside a split's result: ``blind`` figures, and a ``note`` if they are as good."""
        return {}
