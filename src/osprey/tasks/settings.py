"""What a task's LightningModule and its test take of a run's settings."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from osprey.config.schema import (
    AugmentationConfig,
    DataConfig,
    OptimizerConfig,
    SchedulerConfig,
    TrainConfig,
    TrainerConfig,
)
from osprey.data.datamodule import DataModule
from osprey.data.manifest import Manifest
from osprey.imaging import Preprocess
from osprey.models.checkpoint import CheckpointMetadata


@dataclass(frozen=True)
class TrainingSettings:
    """How a network is trained, beside what Lightning's Trainer is told.

    Attributes:
        optimizer: Which one, and its rates.
        scheduler: How the learning rate moves.
        freeze: ``none``, ``backbone``, or the number of epochs for which the backbone is frozen.
        freeze_stages: Number of first stages that are frozen for the whole run.
        freeze_batchnorm: Hold BatchNorm statistics for the whole run.
        channels_last: Memory format of the network and its input.
        gradient_clip: Largest norm of the gradient, for trial steps without a Trainer.
        monitor: The logged metric that chooses the best epoch; None for the task's first.
        seed: Of dropout and batch mixes.
    """

    optimizer: OptimizerConfig
    scheduler: SchedulerConfig
    freeze: int | str = "none"
    freeze_stages: int = 0
    freeze_batchnorm: bool = False
    channels_last: bool = True
    gradient_clip: float | None = None
    monitor: str | None = None
    seed: int = 0

    @classmethod
    def from_config(cls, config: TrainConfig) -> TrainingSettings:
        """Those of a run."""
        model, trainer = config.model, config.trainer
        return cls(
            optimizer=config.optimizer,
            scheduler=config.scheduler,
            freeze=model.freeze,
            freeze_stages=model.freeze_stages,
            freeze_batchnorm=model.freeze_batchnorm,
            channels_last=bool(trainer.channels_last),  # auto is yes
            gradient_clip=trainer.gradient_clip,
            monitor=config.monitor,
            seed=config.seed,
        )


@dataclass(frozen=True)
class DataSettings:
    """How photos become training batches.

    Attributes:
        task: Name of the task, which augments in its own way.
        data: Batch size, workers, sampler, and how photos are read.
        augmentation: Its steps.
        seed: Of order and augmentation.
        cache: ``paths.cache``.
    """

    task: str
    data: DataConfig
    augmentation: AugmentationConfig
    seed: int
    cache: Path

    @classmethod
    def from_config(cls, config: TrainConfig) -> DataSettings:
        """Those of a run."""
        cache = Path(config.paths.cache)
        return cls(config.task.name, config.data, config.augmentation, config.seed, cache)


@dataclass(frozen=True)
class EvaluationSettings:
    """How a network is validated and tested.

    Attributes:
        data: Batch size, workers, and how photos are read.
        trainer: Devices, and how many batches.
        seed: Of the order of training photos, where those are asked for.
    """

    data: DataConfig
    trainer: TrainerConfig
    seed: int = 0

    def data_module(self, manifest: Manifest, metadata: CheckpointMetadata) -> DataModule:
        """Photos as a checkpoint's network sees them in production.

        Args:
            manifest: The samples.
            metadata: Of the checkpoint.

        Returns:
            Their batches.
        """
        preprocess = Preprocess.from_dict(metadata.preprocess)
        return DataModule(manifest, metadata.classes, preprocess, self.data, seed=self.seed)
