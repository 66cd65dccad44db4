"""Put together what a run folder's configuration names: network, task, data."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
import torch
from torch import nn

from osprey.config.groups.trainer import TrainerConfig
from osprey.config.schema import DataConfig, TrainConfig
from osprey.data.datamodule import DataModule
from osprey.data.manifest import Manifest
from osprey.errors import ConfigError, UnreadableImage
from osprey.imaging import Preprocess
from osprey.models.checkpoint import CheckpointMetadata
from osprey.models.normalisation import fits_better
from osprey.models.registry import ModelSpec, check_size, input_settings
from osprey.models.rewrites import rewrite
from osprey.models.timm_models import fixed_size
from osprey.models.transfer import build_from_run
from osprey.models.weights import build_pretrained
from osprey.runs.folder import RunFolder
from osprey.system.launcher import is_first
from osprey.tasks.base import Task
from osprey.tasks.loading import make_data, make_preprocess, memory_rewrite, model_spec
from osprey.tasks.registry import get_task
from osprey.tasks.settings import DataSettings


@dataclass(frozen=True)
class Assembly:
    """Everything training needs.

    Attributes:
        task: The LightningModule with its network.
        data: The DataModule.
        weights: One line that says which weights it starts from.
        rewrites: Which of ``trainer.rewrites`` were applied.
        note: A line about the weights, if there is one.
    """

    task: Task
    data: DataModule
    weights: str
    rewrites: list[str]
    note: str = ""


def assemble(config: TrainConfig, manifest: Manifest, *, resuming: bool) -> Assembly:
    """Build network, LightningModule and DataModule.

    Args:
        config: The run's configuration.
        manifest: Its samples, each with its split.
        resuming: A checkpoint will be loaded, so pretrained weights are not read again.

    Returns:
        The parts.

    Raises:
        ConfigError: An unknown model or option, a size the model cannot take, or an augmentation
            step that cannot be built.
        CheckpointError: Weights cannot be obtained or do not fit.
        UserError: A preprocessing value is out of range.
    """
    memory = memory_rewrite(config.trainer)  # before anything large is allocated
    spec = model_spec(config.model)
    preprocess = make_preprocess(config.data, input_settings(spec))
    if config.data.size and _size_is_an_option(spec):
        if config.data.train_size not in (None, config.data.size):
            raise ConfigError(f"data.train_size: '{spec.name}' takes images of one size only")
        options = {**spec.options, "img_size": config.data.size}
        spec = ModelSpec(spec.factory, spec.name, options)
    classes, plugin = manifest.classes, get_task(config.task.name)
    outputs = plugin.num_outputs(manifest)
    for size in {preprocess.size, config.data.train_size or preprocess.size}:
        check_size(spec, outputs, size)
    if config.from_run and not resuming:
        model, weights = build_from_run(spec, classes, RunFolder(Path(config.from_run)).best)
    else:
        pretrained = False if resuming else config.model.pretrained
        model, weights = build_pretrained(spec, outputs, pretrained, classes)
    note = ""
    given = isinstance(config.model.pretrained, str) and not (config.from_run or resuming)
    if given and is_first():  # who prints it
        note = _about_input(config.data, manifest, preprocess, model)
    rewrites = [*rewrite(model, spec, _of_network(config.trainer)), *memory]
    data = make_data(DataSettings.from_config(config), manifest, preprocess)
    metadata = CheckpointMetadata(
        config.task.name,
        spec,
        classes,
        preprocess.to_dict(),
        outputs=None if outputs == len(classes) else outputs,
    )
    task = plugin.build_module(model, metadata, config, manifest)
    return Assembly(cast(Task, task), data, weights, rewrites, note)


_LOOKED_AT = 64  # photos


def _about_input(
    data: DataConfig, manifest: Manifest, preprocess: Preprocess, model: nn.Module
) -> str:
    """A line, where weights of a file seem to want another normalisation than the network's own."""
    if data.mean is not None or data.std is not None:
        return ""
    photos = []
    table = manifest.split("train").table
    for path in table["path"].iloc[:: max(1, len(table) // _LOOKED_AT)].iloc[:_LOOKED_AT]:
        with suppress(UnreadableImage):
            photos.append(preprocess(preprocess.open(manifest.root / path)))
    if not photos:
        return ""
    pixels = torch.from_numpy(np.stack(photos))
    return fits_better(model, pixels, (preprocess.mean, preprocess.std))


def _of_network(trainer: TrainerConfig) -> list[str]:
    """The rewrites asked for; several GPUs put SyncBatchNorm in the place of what folding knows."""
    single = trainer.strategy == "single"
    return [name for name in trainer.rewrites if single or name != "fold_batchnorm"]


def _size_is_an_option(spec: ModelSpec) -> bool:
    return spec.factory == "timm" and fixed_size(spec.name)
