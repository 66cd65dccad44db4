"""The typed configuration: every key a user may set, with its type."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from osprey.config.bundle_formats import BUNDLE_FORMATS
from osprey.config.fields import setting
from osprey.config.groups.data import AugmentationConfig as AugmentationConfig
from osprey.config.groups.data import DataConfig as DataConfig
from osprey.config.groups.model import ModelConfig as ModelConfig
from osprey.config.groups.model import OptimizerConfig as OptimizerConfig
from osprey.config.groups.model import SchedulerConfig as SchedulerConfig
from osprey.config.groups.trainer import CallbacksConfig as CallbacksConfig
from osprey.config.groups.trainer import CostConfig as CostConfig
from osprey.config.groups.trainer import ExtrasConfig as ExtrasConfig
from osprey.config.groups.trainer import LoggerConfig as LoggerConfig
from osprey.config.groups.trainer import PathsConfig as PathsConfig
from osprey.config.groups.trainer import TrainerConfig as TrainerConfig

TTA = ("none", "flip", "dihedral")  # test-time augmentation, of eval and predict


@dataclass
class TaskConfig:
    """What is learnt. Each task's own settings are a subclass in its package.

    ``name`` is the task's; ``lightning`` where ``target`` is a LightningModule of the user's own.
    """

    target: str = setting(help="the LightningModule; a class of your own may stand here")
    name: str = setting()
    args: dict[str, Any] = setting({})

    def check(self) -> None:
        """Check what types, choices and ranges cannot say.

        Raises:
            ConfigError: One line that names the setting.
        """


GROUPS: dict[str, type[Any]] = {
    "task": TaskConfig,
    "data": DataConfig,
    "augmentation": AugmentationConfig,
    "model": ModelConfig,
    "optimizer": OptimizerConfig,
    "scheduler": SchedulerConfig,
    "trainer": TrainerConfig,
    "callbacks": CallbacksConfig,
    "logger": LoggerConfig,
    "paths": PathsConfig,
    "cost": CostConfig,
    "extras": ExtrasConfig,
}


@dataclass(kw_only=True)
class RunSettings:
    """Settings of the run itself, of no group."""

    name: str = setting(help="of the run: runs/NAME/STAMP")
    seed: int = setting(0, "of everything random", low=0, high=2**32 - 1)
    tags: list[str] = setting([], "words to find the run by, also in W&B")
    plugins: list[str] = setting([], "packages of your own to import")
    monitor: str | None = setting(None, "the logged figure that chooses the best epoch")
    mode: str | None = setting(None, "whether more of it is better", choices=("max", "min"))
    resume: str | None = setting(None, "a run folder, or latest: go on with it")
    from_run: str | None = setting(None, "from=RUN: start from its weights, take over its data")
    export: str | None = setting(
        "onnx", "the bundle written after the test; null: none", choices=BUNDLE_FORMATS
    )


@dataclass(kw_only=True)
class TrainConfig(RunSettings):
    """Everything ``osprey train`` takes."""

    task: Any
    data: DataConfig
    augmentation: AugmentationConfig
    model: ModelConfig
    optimizer: OptimizerConfig
    scheduler: SchedulerConfig
    trainer: TrainerConfig
    callbacks: CallbacksConfig
    logger: LoggerConfig
    paths: PathsConfig
    cost: CostConfig
    extras: ExtrasConfig


@dataclass
class EvalDataConfig:
    """Which samples a run is tested on: its own split, or another data set's."""

    split: str = setting(
        "test", "of the run, or of the data set named", choices=("train", "val", "test")
    )
    root: str | None = setting(None, "another data set instead of the run's own split")
    reader: str | None = setting(None, "of that data set; null: folder, or a detector's own")
    file: str | None = setting(None, "its table or annotations, where the reader wants one")
    label: str | None = setting(None, "of that data set: a pattern on the path, as in training")
    split_names: dict[str, str] | None = setting(
        None, "of that data set: what names of splits mean, as in training"
    )
    single_class: str | None = setting(
        None, "of that data set: its boxes of every class as this one; null: as in training"
    )
    difficult: str | None = setting(
        None,
        "of that data set: boxes marked difficult, neither found nor missed, or counted; null: as "
        "in training",
        choices=("ignore", "count"),
    )
    conflicts: str = setting(
        "refuse",
        "of that data set: one photo (byte for byte) under two labels is an error, left out, kept",
        choices=("refuse", "drop", "keep"),
    )
    allow_leakage: bool = setting(False, "count photos that the run was trained on, too")


@dataclass
class EvalConfig:
    """Everything ``osprey eval`` takes."""

    data: EvalDataConfig
    paths: PathsConfig
    run: str = setting("latest", "a run folder, or latest")
    plugins: list[str] = setting([], "packages of your own that the run may name")
    checkpoint: str = setting("best", "which of the run's", choices=("best", "last"))
    tta: str = setting("none", "answers averaged over mirrored or turned views", choices=TTA)
    detector: str | None = setting(None, "a detector's run: two steps, whose classifier is run")
    one_step: str | None = setting(None, "two steps: the run asked of whole photos; null: run")
    min_score: float | None = setting(
        None, "two steps: a box counts from this score on", low=0, high=1
    )
    full_image_fallback: bool = setting(False, "two steps: ask of the whole photo without a box")
    nothing: str | None = setting(None, "two steps: the class of a photo without a box")
    batch_size: int | None = setting(None, "photos at a time; null: the run's", low=1)
    num_workers: int | None = setting(None, "processes that read; null: the run's", low=0, high=256)
    accelerator: str = setting("auto", "what computes", choices=("auto", "cpu", "gpu", "mps"))
