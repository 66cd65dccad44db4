"""The typed configuration: every key a user may set, with its type.

Defaults live in the YAML files of ``configs/``; here stand only names and types, so that a
misspelt key or a word where a number belongs is refused before anything else is imported.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from omegaconf import MISSING


@dataclass
class TaskConfig:
    """What is learnt, and how a mistake is priced."""

    name: str = MISSING  # classification | detection
    # Of classification; a detector's losses are its own.
    loss: str = "cross_entropy"  # cross_entropy | focal | class_balanced
    label_smoothing: float = 0.0
    focal_gamma: float = 2.0
    class_weights: str = "none"  # none | sqrt | balanced


@dataclass
class DataConfig:
    """Where the samples come from, how they are split, decoded and batched."""

    name: str = MISSING
    reader: str = MISSING  # harbour | folder | table | coco | voc | ...
    root: str = MISSING
    file: str | None = None
    columns: dict[str, str] = MISSING
    filter: dict[str, Any] | None = None
    classes: list[str] | None = None
    single_class: str | None = None
    min_score: float = MISSING
    group: str | None = None
    allow_leakage: bool = MISSING
    given_split: bool = MISSING
    val_fraction: float | None = None
    test_fraction: float | None = None
    folds: int | None = None
    fold: int = MISSING
    split_seed: int = MISSING
    overfit: int | None = None
    check_files: bool = MISSING
    size: int | None = None
    train_size: int | None = None
    resize: str = MISSING  # squash | crop | letterbox
    mean: list[float] | None = None
    std: list[float] | None = None
    batch_size: int = MISSING
    eval_batch_size: int = MISSING
    num_workers: int | None = None
    cache: str = MISSING  # none | ram | disk
    sampler: str = MISSING  # uniform | sqrt | balanced
    render_count: int = MISSING
    render_seed: int = MISSING


@dataclass
class AugmentationConfig:
    """Steps on one image (albumentations), then mixes of a batch on the device.

    Policies and runs from before there were boxes say nothing of mosaics and scales.
    """

    name: str = MISSING
    steps: list[Any] = MISSING
    mixup: float = MISSING
    cutmix: float = MISSING
    mix_probability: float = MISSING
    erasing: float = MISSING
    mosaic: float = 0.0
    multi_scale: float = 0.0


@dataclass
class ModelConfig:
    """Which network, which weights it starts from, and what of it may move."""

    factory: str = MISSING  # simple_cnn | timm | ensemble | detector
    name: str = MISSING
    backbone: str | None = None  # factory detector: any of timm's
    pretrained: bool | str = MISSING
    freeze: int | str = MISSING  # none | backbone | number of epochs
    freeze_batchnorm: bool = MISSING
    freeze_stages: int = MISSING
    suggested_lr: float = MISSING
    head_init: str = MISSING  # random | linear_probe
    probe_views: int = MISSING
    options: dict[str, Any] | None = None
    runs: list[str] = MISSING  # factory ensemble: its members
    combine: str = MISSING  # average | weighted | stacked


@dataclass
class OptimizerConfig:
    """The optimiser and its rates."""

    name: str = MISSING  # adamw | sgd
    lr: float = MISSING
    weight_decay: float = MISSING
    momentum: float = MISSING
    layer_decay: float = MISSING


@dataclass
class SchedulerConfig:
    """How the learning rate moves over the whole run."""

    name: str = MISSING  # cosine | constant
    warmup: float = MISSING
    final_ratio: float = MISSING


@dataclass
class TrainerConfig:
    """What Lightning's Trainer is told."""

    accelerator: str = MISSING
    devices: int | str = MISSING
    strategy: str = MISSING  # single | ddp | fsdp
    autotune: bool = MISSING
    precision: str = MISSING  # auto | 32-true | bf16-mixed | 16-mixed
    channels_last: bool | str = MISSING  # auto | true | false
    compile: bool | str = MISSING  # auto | true | false
    max_epochs: int = MISSING
    gradient_clip: float | None = None
    accumulate: int = MISSING
    deterministic: bool = MISSING
    limit_train_batches: int | None = None
    limit_eval_batches: int | None = None
    profiler: str | None = None


@dataclass
class CallbacksConfig:
    """What watches the run."""

    early_stopping: int | None = None
    ema_decay: float | None = None
    averaging: str = MISSING  # none | swa | soup
    progress: bool = MISSING


@dataclass
class LoggerConfig:
    """Where metrics go besides metrics.csv."""

    use: list[str] = MISSING
    project: str = MISSING
    entity: str | None = None
    offline: bool = MISSING


@dataclass
class PathsConfig:
    """Folders Osprey writes to, relative to where the command is run."""

    runs: str = MISSING
    data: str = MISSING
    cache: str = MISSING


@dataclass
class TrainConfig:
    """Everything ``osprey train`` is told."""

    task: TaskConfig = MISSING
    data: DataConfig = MISSING
    augmentation: AugmentationConfig = MISSING
    model: ModelConfig = MISSING
    optimizer: OptimizerConfig = MISSING
    scheduler: SchedulerConfig = MISSING
    trainer: TrainerConfig = MISSING
    callbacks: CallbacksConfig = MISSING
    logger: LoggerConfig = MISSING
    paths: PathsConfig = MISSING
    name: str = MISSING
    seed: int = MISSING
    resume: str | None = None
    from_run: str | None = None


@dataclass
class EvalDataConfig:
    """Which samples a run is tested on: its own split, or another data set's."""

    split: str = MISSING  # train | val | test
    root: str | None = None
    reader: str | None = None
    file: str | None = None


@dataclass
class EvalConfig:
    """Everything ``osprey eval`` is told."""

    run: str = MISSING
    checkpoint: str = MISSING  # best | last
    tta: str = MISSING  # none | flip | dihedral
    data: EvalDataConfig = MISSING
    detector: str | None = None
    one_step: str | None = None
    min_score: float | None = None
    full_image_fallback: bool = MISSING
    nothing: str | None = None
    batch_size: int | None = None
    num_workers: int | None = None
    accelerator: str = MISSING
    paths: PathsConfig = MISSING
