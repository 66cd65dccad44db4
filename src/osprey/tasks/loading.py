"""Device, model description, preprocessing and DataModule from the configuration."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from osprey.config.groups.trainer import TrainerConfig
from osprey.config.schema import DataConfig, ModelConfig
from osprey.data.datamodule import DataModule
from osprey.data.manifest import Manifest
from osprey.imaging import Preprocess
from osprey.models.detection.spec import with_backbone
from osprey.models.registry import InputSettings, ModelSpec
from osprey.system.allocator import keep_freed_memory
from osprey.system.console import say
from osprey.system.devices import pick_device
from osprey.tasks.registry import get_task
from osprey.tasks.settings import DataSettings

if TYPE_CHECKING:
    import torch


def run_device(trainer: TrainerConfig) -> torch.device:
    """The device a run computes on.

    ``keep_memory`` of ``trainer.rewrites`` is applied to this process if it is the CPU.

    Args:
        trainer: The trainer settings.

    Returns:
        The device.

    Raises:
        ConfigError: It is named explicitly and does not exist.
    """
    return pick_device(trainer.accelerator, keep_memory="keep_memory" in trainer.rewrites)


def memory_rewrite(trainer: TrainerConfig) -> list[str]:
    """Apply the rewrite ``keep_memory`` to this process, on the CPU only.

    Args:
        trainer: The trainer settings.

    Returns:
        ``["keep_memory"]`` if it was applied, else empty.
    """
    on_cpu = run_device(trainer).type == "cpu"
    kept = on_cpu and "keep_memory" in trainer.rewrites and keep_freed_memory()
    return ["keep_memory"] if kept else []


def model_spec(model: ModelConfig) -> ModelSpec:
    """The description of a network that checkpoints store.

    Args:
        model: The model section of the configuration.

    Returns:
        The description.

    Raises:
        ConfigError: ``model.backbone`` is set for a model that is not a detector.
    """
    if model.is_foreign:
        return ModelSpec(model.target, model.name, {**(model.options or {}), **model.args})
    spec = ModelSpec(model.factory, model.name, dict(model.options or {}))
    return with_backbone(spec, model.backbone)


def make_preprocess(data: DataConfig, settings: InputSettings) -> Preprocess:
    """The network's own input settings, overridden by the configuration.

    Args:
        data: The data section of the configuration.
        settings: The network's.

    Returns:
        The preprocessing.

    Raises:
        UserError: A value is out of range.
    """
    mean = tuple(data.mean) if data.mean else settings.mean
    std = tuple(data.std) if data.std else settings.std
    return Preprocess.from_dict(
        {
            "size": data.size or settings.size,
            "resize": data.resize,
            "mean": mean,
            "std": std,
            "crop_pct": settings.crop_pct,
            "value_range": data.value_range,
        }
    )


def make_data(settings: DataSettings, manifest: Manifest, preprocess: Preprocess) -> DataModule:
    """The DataModule with the configured augmentation.

    Args:
        settings: Batches and augmentation.
        manifest: The samples.
        preprocess: How a photo becomes model input outside training.

    Returns:
        The DataModule.

    Raises:
        ConfigError: An augmentation step cannot be built.
    """
    train_size = settings.data.train_size or preprocess.size
    in_training = replace(preprocess, size=train_size)
    return DataModule(
        manifest,
        manifest.classes,
        preprocess,
        settings.data,
        seed=settings.seed,
        augment=get_task(settings.task).augmentation(settings.augmentation, in_training),
        cache=settings.cache,
        say=say,
    )
