"""The one place that lists the tasks; everything else asks `get_task` for its plugin."""

from __future__ import annotations

import importlib
from dataclasses import replace
from functools import cache
from typing import TypeVar

from osprey.config.schema import TaskConfig
from osprey.errors import CheckpointError, UserError
from osprey.system.instantiate import wrong_kind
from osprey.system.plugins import loaded_plugins
from osprey.system.targets import import_target
from osprey.tasks.plugin import MetricSpec, TaskPlugin

T = TypeVar("T")

DEFAULT_TASK = "classification"  # of runs of the first release, which name none
_TASKS = {
    "classification": "osprey.tasks.classification.plugin:ClassificationTask",
    "detection": "osprey.tasks.detection.plugin:DetectionTask",
    "lightning": "osprey.tasks.lightning.plugin:LightningTask",
}


def task_names() -> list[str]:
    """Every task known here, Osprey's own first."""
    return list(_known())


def _known() -> dict[str, str]:
    """Osprey's tasks and those that plugins bring in ``TASKS = {"name": "module:Class"}``.

    Raises:
        UserError: Two bring a task of one name.
    """
    known = dict(_TASKS)
    for module in loaded_plugins().values():
        for name, target in getattr(module, "TASKS", {}).items():
            if known.setdefault(name, target) != target:
                raise UserError(
                    f"plugins: task '{name}' is brought by both '{known[name]}' and '{target}'"
                )
    return known


def get_task(name: str) -> TaskPlugin:
    """The plugin of a task.

    Args:
        name: Value of ``task.name``.

    Returns:
        The plugin.

    Raises:
        UserError: There is no such task, or its class cannot be imported.
    """
    known = _known()
    if name not in known:
        raise UserError(
            f"there is no task '{name}' here: install the package that brings it, or add "
            "--plugin PACKAGE (plugins=[PACKAGE])"
        )
    return _load(name, known[name])


def all_tasks() -> list[TaskPlugin]:
    """The plugin of every task known here."""
    return [get_task(name) for name in _known()]


@cache
def _load(name: str, target: str) -> TaskPlugin:
    module, _, attribute = target.partition(":")
    try:
        plugin = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise UserError(f"task '{name}': '{target}' cannot be imported: {error}") from None
    if not (isinstance(plugin, type) and issubclass(plugin, TaskPlugin)):
        raise UserError(f"task '{name}': '{target}' is not a subclass of TaskPlugin")
    return plugin()


def module_class(settings: TaskConfig, own: type[T]) -> type[T]:
    """The class of a task's module: Osprey's, or a subclass of it that ``task._target_`` names.

    Raises:
        ConfigError: The target cannot be imported or is not a subclass.
    """
    if settings.target == f"{own.__module__}.{own.__name__}":
        return own
    found = import_target("task", settings.target)
    if not (isinstance(found, type) and issubclass(found, own)):
        raise wrong_kind("task", settings.target, found, own)
    return found


def check_task(found: str, wanted: TaskPlugin, checkpoint: object) -> None:
    """Check that a checkpoint belongs to a task.

    Args:
        found: The task that it names.
        wanted: The task it must be of.
        checkpoint: Its file.

    Raises:
        CheckpointError: They differ.
    """
    if found == wanted.name:
        return
    if found in _known():
        is_a = f"{get_task(found).noun}'s, not {wanted.noun}'s"
    else:
        is_a = f"of task '{found}', not {wanted.noun}'s"
    raise CheckpointError(f"checkpoint '{checkpoint}' is {is_a}")


def shown_metrics(task: str, monitor: str | None, mode: str | None) -> tuple[MetricSpec, ...]:
    """The main metrics of a run; the first one chooses its best epoch.

    That is the one that ``monitor`` and ``mode`` name, or the first of the task's own.

    Args:
        task: Its name.
        monitor: The metric that is set to choose by; None for the task's first.
        mode: ``max`` or ``min``; None for what the metric itself says.

    Returns:
        The metrics, the monitored one first.
    """
    known = get_task(task).metrics
    if monitor is None:
        first = known[0]
    else:
        matching = [metric for metric in known if metric.logged == monitor]
        key = monitor.removeprefix("val/")
        first = matching[0] if matching else MetricSpec(key, key, logged_as=monitor)
    if mode is not None:
        first = replace(first, higher_is_better=mode == "max")
    return first, *(metric for metric in known if metric.logged != first.logged)
