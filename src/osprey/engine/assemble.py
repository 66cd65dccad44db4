"""Put together what a run folder's configuration names: network, task, data."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

from osprey.config.schema import DataConfig, TrainConfig
from osprey.data.datamodule import DataModule
from osprey.data.manifest import Manifest
from osprey.errors import ConfigError
from osprey.imaging import Preprocess
from osprey.models.checkpoint import CheckpointMetadata
from osprey.models.detection.spec import with_backbone
from osprey.models.folding import fold_batchnorm
from osprey.models.registry import InputSettings, ModelSpec, check_size, input_settings
from osprey.models.timm_models import fixed_size
from osprey.models.transfer import build_from_run
from osprey.models.weights import build_pretrained
from osprey.runs.folder import RunFolder
from osprey.system.console import say
from osprey.system.devices import pick_device
from osprey.tasks.base import Task
from osprey.tasks.registry import get_task


@dataclass(frozen=True)
class Assembly:
    """Everything training needs, and one line that says which weights it starts from."""

    task: Task
    data: DataModule
    weights: str


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


def assemble(config: TrainConfig, manifest: Manifest, *, resuming: bool) -> Assembly:
    """Build network, task and data.

    Args:
        config: The run's configuration.
        manifest: Its samples, each with its split.
        resuming: A checkpoint will fill the network: pretrained weights are not read again.

    Raises:
        UserError: An unknown model, weights that do not fit or cannot be had, a policy that
            cannot be built.
    """
    pick_device(config.trainer.accelerator)  # made ready before anything large is allocated
    spec = ModelSpec(config.model.factory, config.model.name, dict(config.model.options or {}))
    spec = with_backbone(spec, config.model.backbone)
    preprocess = make_preprocess(config.data, input_settings(spec))
    if config.data.size and _size_is_an_option(spec):
        if config.data.train_size not in (None, config.data.size):
            raise ConfigError(f"data.train_size: '{spec.name}' takes images of one size only")
        options = {**spec.options, "img_size": config.data.size}
        spec = ModelSpec(spec.factory, spec.name, options)
    classes = manifest.classes
    for size in {preprocess.size, config.data.train_size or preprocess.size}:
        check_size(spec, len(classes), size)
    if config.from_run and not resuming:
        model, weights = build_from_run(spec, classes, RunFolder(Path(config.from_run)).best)
    else:
        pretrained = False if resuming else config.model.pretrained
        model, weights = build_pretrained(spec, len(classes), pretrained)
    if config.trainer.strategy == "single":  # several GPUs put SyncBatchNorm in their place
        fold_batchnorm(model)
    data = make_data(config, manifest, preprocess)
    metadata = CheckpointMetadata(config.task.name, spec, classes, preprocess.to_dict())
    task = get_task(config.task.name).build_module(model, metadata, config, manifest)
    return Assembly(cast(Task, task), data, weights)


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


def _size_is_an_option(spec: ModelSpec) -> bool:
    return spec.factory == "timm" and fixed_size(spec.name)
