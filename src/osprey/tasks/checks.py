"""Checks of a whole configuration before torch is imported: the task's, then everything else's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from operator import attrgetter
from typing import Any

from osprey.config.errors import unknown_key
from osprey.config.fields import check_choice, check_fields
from osprey.config.parse import LIGHTNING, task_settings
from osprey.config.schema import DataConfig, TaskConfig, TrainConfig
from osprey.config.validate import validate
from osprey.errors import ConfigError, nearest
from osprey.system.instantiate import wrong_kind
from osprey.system.targets import import_target
from osprey.tasks.plugin import TaskPlugin
from osprey.tasks.registry import all_tasks, get_task, task_names


class WrongTask(ConfigError):
    """A setting of another task.

    Args:
        message: The line.
        key: The setting.
        task: Whose it is.
    """

    def __init__(self, message: str, key: str, task: str) -> None:
        """Args: as above."""
        super().__init__(message)
        self.key, self.task = key, task


def validate_run(config: TrainConfig) -> None:
    """Check that settings are in range, consistent, and belong to the task.

    Args:
        config: The run's settings.

    Raises:
        ConfigError: One line that names the setting and what it may be.
    """
    check_choice("task.name", config.task.name, task_names())
    check_fields(config)
    task = get_task(config.task.name)
    others = [other for other in all_tasks() if other.name != task.name]
    for other in others:
        for key, without in other.own_settings.items():
            if key not in task.own_settings and attrgetter(key)(config) != without:
                said = f"{key} goes with task={other.name}: set it to {without}"
                raise WrongTask(said, key, other.name)
    _check_own_arguments(config.task, others)
    task.check_config(config)
    _check_monitor(config, task)
    _check_rule(config.callbacks.checkpoint_rule, task)
    for other in others:
        factory = config.model.factory
        if factory in other.own_factories and factory not in task.own_factories:
            raise ConfigError(other.refuse_factory(config.model))
    if config.from_run is not None and not task.supports_from_run:
        names = " or ".join(other.name for other in others if other.supports_from_run)
        raise ConfigError(
            f"from=RUN goes with task={names}: to train {task.noun} for longer use resume=RUN"
        )
    validate(config)


def _check_own_arguments(task: TaskConfig, others: Sequence[TaskPlugin]) -> None:
    """A task of Osprey's takes its own settings alone; a subclass of its module may take more."""
    settings: type[Any] = type(task)
    if settings is TaskConfig or task.target != settings().target:
        return
    for key in task.args:
        for other in others:
            known = task_settings({"name": other.name})
            if key in {field.name for field in fields(known)}:
                raise ConfigError(f"task.{key} goes with task={other.name}: leave it out")
        raise unknown_key(f"task.{key}")


def _check_monitor(config: TrainConfig, task: TaskPlugin) -> None:
    """Refuse a monitored metric that nothing logs, as far as that is known before the training."""
    own_module = config.task.target == type(config.task)().target
    if config.monitor is None or not task.logs or not own_module or config.callbacks.args:
        return  # what a module or a callback of the user's own logs, it alone knows
    further = tuple(f"val/{name}" for name in getattr(config.task, "metrics", {}))
    if config.monitor in task.logs or config.monitor.startswith(further):
        return
    logged = sorted((*task.logs, *further))
    hint = nearest(config.monitor, logged)
    raise ConfigError(
        f"monitor={config.monitor} is not logged{hint} (logged are {', '.join(logged)})"
    )


def _check_rule(rule: str, task: TaskPlugin) -> None:
    """Refuse a rule that needs more than the task tells of a validation."""
    if rule == "log_loss" and task.logs and "val/log_loss" not in task.logs:
        raise ConfigError(
            f"callbacks.checkpoint_rule=log_loss: {task.noun} has no log loss; use highest, last "
            "or within_error"
        )
    if rule in ("log_loss", "within_error") and not task.logs:
        raise ConfigError(
            f"callbacks.checkpoint_rule={rule} needs the answers about each photo, which a module "
            "of your own does not give: use highest or last"
        )


def check_own_classes(task: TaskConfig, data: DataConfig) -> None:
    """Check the type of a module or DataModule of the user's own.

    Args:
        task: Names the module.
        data: Names the DataModule.

    Raises:
        ConfigError: It cannot be imported, or is not a LightningModule or LightningDataModule.
    """
    if task.name != LIGHTNING:
        return
    import pytorch_lightning as pl

    wanted: dict[str, tuple[str, type]] = {"task": (task.target, pl.LightningModule)}
    if data.is_foreign:
        wanted["data"] = (data.target, pl.LightningDataModule)
    for group, (target, kind) in wanted.items():
        found = import_target(group, target)
        if isinstance(found, type) and not issubclass(found, kind):
            raise wrong_kind(group, target, found, kind)
