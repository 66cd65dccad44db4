"""Photos as the configuration and the task want them, for training and for pictures."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from osprey.config.groups.trainer import TrainerConfig
from osprey.config.schema import DataConfig, ModelConfig, TrainConfig
from osprey.data.datamodule import DataModule
from osprey.data.manifest import Manifest
from osprey.imaging import Preprocess
from osprey.models.detection.spec import with_backbone
from osprey.models.registry import InputSettings, ModelSpec
from osprey.system.allocator import keep_freed_memory
from osprey.system.console import say
from osprey.system.devices import pick_device
from osprey.tasks.registry import get_task

if TYPE_CHECKING:
    import torch


def run_device(trainer: TrainerConfig) -> torch.device:
    """The device a run computes on, freed memory kept there if ``trainer.rewrites`` says so.

    Raises:
        ConfigError: It is asked for by name and not there.
    """
    return pick_device(trainer.accelerator, keep_memory="keep_memory" in trainer.rewrites)


def memory_rewrite(trainer: TrainerConfig) -> list[str]:
    """``["keep_memory"]`` where the run's process keeps freed memory from here on, or nothing."""
    on_cpu = run_device(trainer).type == "cpu"
    kept = on_cpu and "keep_memory" in trainer.rewrites and keep_freed_memory()
    return ["keep_memory"] if kept else []


def model_spec(model: ModelConfig) -> ModelSpec:
    """The plain description of a network that checkpoints keep."""
    if model.is_foreign:
        return ModelSpec(model.target, model.name, {**(model.options or {}), **model.args})
    spec = ModelSpec(model.factory, model.name, dict(model.options or {}))
    return with_backbone(spec, model.backbone)


def make_preprocess(data: DataConfig, settings: InputSettings) -> Preprocess:
    """The network's own input settings, changed where the configuration says so."""
    mean = tuple(data.mean) if data.mean else settings.mean
    std = tuple(data.std) if data.std else settings.std
    return Preprocess.from_dict(
        {
            "size": data.size or settings.size,
            "resize": data.resize,
            "mean": mean,
            "std": std,
            "crop_pct": settings.crop_pct,
        }
    )


def make_data(config: TrainConfig, manifest: Manifest, preprocess: Preprocess) -> DataModule:
    """Loaders with the configured augmentation."""
    train_size = config.data.train_size or preprocess.size
    task = get_task(config.task.name)
    return DataModule(
        manifest,
        manifest.classes,
        preprocess,
        config.data,
        seed=config.seed,
        augment=task.augmentation(config, replace(preprocess, size=train_size)),
        cache=Path(config.paths.cache),
        say=say,
    )
