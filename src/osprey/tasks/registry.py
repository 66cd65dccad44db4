"""The one place that lists the tasks; everything else asks `get_task` for its plugin."""

from __future__ import annotations

import importlib
from functools import cache

from osprey.errors import CheckpointError, UserError, nearest
from osprey.tasks.plugin import TaskPlugin

DEFAULT_TASK = "classification"  # of runs of the first release, which name none
_TASKS = {
    "classification": "osprey.tasks.classification.plugin:ClassificationTask",
    "detection": "osprey.tasks.detection.plugin:DetectionTask",
    "lightning": "osprey.tasks.lightning.plugin:LightningTask",
}


def task_names() -> list[str]:
    """Every task known here, Osprey's own first."""
    return list(_TASKS)


def register_task(name: str, target: str) -> None:
    """Make a task known, without importing it.

    Args:
        name: Value of ``task.name``.
        target: Its `TaskPlugin` subclass, as ``"package.module:Class"``.

    Raises:
        UserError: Another class has that name already.
    """
    known = _TASKS.setdefault(name, target)
    if known != target:
        raise UserError(f"plugins: task '{name}' is brought by both '{known}' and '{target}'")


def get_task(name: str) -> TaskPlugin:
    """The plugin of a task.

    Raises:
        UserError: There is no such task, or its class cannot be had.
    """
    if name not in _TASKS:
        near = nearest(name, _TASKS)
        raise UserError(
            f"there is no task '{name}'{near}"
            if near
            else f"task '{name}' is not known here: install the package that brings it or add "
            "--plugin PACKAGE"
        )
    return _load(name, _TASKS[name])


def all_tasks() -> list[TaskPlugin]:
    """The plugin of every task known here."""
    return [get_task(name) for name in _TASKS]


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


def check_task(found: str, wanted: TaskPlugin, checkpoint: object) -> None:
    """Refuse a checkpoint of another task.

    Args:
        found: The task that it names.
        wanted: The task of whoever opens it.
        checkpoint: Its file.

    Raises:
        CheckpointError: They differ.
    """
    if found == wanted.name:
        return
    if found in _TASKS:
        is_a = f"{get_task(found).noun}'s, not {wanted.noun}'s"
    else:
        is_a = f"of task '{found}', not {wanted.noun}'s"
    raise CheckpointError(f"checkpoint '{checkpoint}' is {is_a}")
