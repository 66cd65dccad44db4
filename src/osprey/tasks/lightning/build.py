"""Build the LightningModule and DataModule that a configuration names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytorch_lightning as pl
from torch import nn
from torch.optim import Optimizer

from osprey.config.parse import LIGHTNING
from osprey.config.schema import ModelConfig, OptimizerConfig, SchedulerConfig, TrainConfig
from osprey.data.manifest import Manifest
from osprey.errors import CheckpointError
from osprey.models.checkpoint import read_checkpoint
from osprey.models.foreign import foreign_input
from osprey.models.registry import ModelSpec
from osprey.models.weights import build_pretrained
from osprey.runs.folder import RunFolder
from osprey.system.instantiate import instantiate
from osprey.system.targets import import_target, parameters_of
from osprey.tasks.loading import make_data, make_preprocess, model_spec
from osprey.tasks.optim import create_optimizer, make_scheduler
from osprey.tasks.settings import DataSettings


@dataclass
class OptimizerFactory:
    """Builds the optimiser of the ``optimizer`` group, for modules that ask for one."""

    config: OptimizerConfig

    def __call__(self, params: Any) -> Optimizer:
        """Build the optimiser.

        Args:
            params: Parameters or parameter groups.

        Returns:
            The optimiser.

        Raises:
            ConfigError: It cannot be built.
        """
        if self.config.target != "osprey.tasks.optim.create_optimizer":
            node = {"_target_": self.config.target, **self.config.args}
            rates = {"lr": self.config.lr, "weight_decay": self.config.weight_decay}
            made: Optimizer = instantiate("optimizer", node, Optimizer, {"params": params, **rates})
            return made
        groups = [{"params": list(params), "weight_decay": self.config.weight_decay}]
        return create_optimizer(
            groups,
            self.config.name,
            self.config.lr,
            momentum=self.config.momentum,
            **self.config.args,
        )


class SchedulerFactory:
    """Builds the schedule of the ``scheduler`` group, over the steps of the fit.

    Args:
        config: The ``scheduler`` settings.
    """

    def __init__(self, config: SchedulerConfig) -> None:
        self.config = config
        self.trainer: pl.Trainer | None = None

    def __call__(self, optimizer: Optimizer) -> Any:
        """Build the schedule.

        Args:
            optimizer: The optimiser whose learning rates change.

        Returns:
            The schedule.

        Raises:
            ConfigError: It cannot be built.
        """
        assert self.trainer is not None, "the schedule is as long as the fit"
        steps, epochs = self.trainer.estimated_stepping_batches, self.trainer.max_epochs or 1
        return make_scheduler(optimizer, self.config, int(steps), epochs)


@dataclass(frozen=True)
class OwnParts:
    """The parts of a run of the user's own LightningModule.

    Attributes:
        module: The user's.
        data: The user's DataModule, or Osprey's.
        schedule: Needs its ``trainer`` set before the fit.
    """

    module: pl.LightningModule
    data: pl.LightningDataModule
    schedule: SchedulerFactory


def build_own(config: TrainConfig, manifest: Manifest | None) -> OwnParts:
    """Build the module and the data of a run whose task is a LightningModule.

    Where its signature has them and the node does not set them, the module gets: ``model`` (the
    ``model`` group's network), ``num_classes``, ``class_names``, ``optimizer`` and ``scheduler``
    (functions that build them).

    Args:
        config: The run's settings.
        manifest: Its samples; None with a DataModule of the user's own.

    Returns:
        The parts.

    Raises:
        ConfigError: A part cannot be built.
    """
    assert config.task.name == LIGHTNING
    if config.data.is_foreign:
        node = {"_target_": config.data.target, **config.data.args}
        data: pl.LightningDataModule = instantiate("data", node, pl.LightningDataModule)
    else:
        assert manifest is not None
        preprocess = make_preprocess(config.data, foreign_input(ModelSpec("", "", {})))
        data = make_data(DataSettings.from_config(config), manifest, preprocess)
    classes = list(manifest.classes) if manifest is not None else None
    schedule = SchedulerFactory(config.scheduler)
    run_time: dict[str, Any] = {
        "optimizer": OptimizerFactory(config.optimizer),
        "scheduler": schedule,
    }
    if classes is not None:
        run_time |= {"num_classes": len(classes), "class_names": classes}
    node = {"_target_": config.task.target, **config.task.args}
    takes = parameters_of(import_target("task", config.task.target))
    if "model" in takes and "model" not in config.task.args:
        run_time["model"] = _network(config.model, len(classes) if classes else 0)
    module: pl.LightningModule = instantiate("task", node, pl.LightningModule, run_time)
    return OwnParts(module, data, schedule)


def _network(model: ModelConfig, num_classes: int) -> nn.Module:
    """The ``model`` group's network, pretrained weights included."""
    return build_pretrained(model_spec(model), num_classes, model.pretrained)[0]


def load_own(run: RunFolder) -> pl.LightningModule:
    """Load the module of a finished run, in evaluation mode on the CPU.

    Args:
        run: The run; its best checkpoint is loaded.

    Returns:
        The module.

    Raises:
        CheckpointError: The checkpoint is refused, or its tensors do not fit.
        ConfigError: The class cannot be built.
    """
    content = read_checkpoint(run.best)
    config = run.load_config()
    manifest = None if config.data.is_foreign else run.load_manifest(config.data.root)
    module = build_own(config, manifest).module
    try:
        module.load_state_dict(content["state_dict"])
    except RuntimeError:
        target = config.task.target
        raise CheckpointError(
            f"checkpoint '{run.best}': its tensors do not fit '{target}'"
        ) from None
    return module.eval()
