"""The callbacks of the configuration: early stopping and the user's own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pytorch_lightning.callbacks import Callback, EarlyStopping

from osprey.config.schema import CallbacksConfig
from osprey.engine.callbacks.progress import ExplainedEarlyStopping
from osprey.runs.folder import RunFolder
from osprey.system.instantiate import arguments_of, instantiate
from osprey.system.targets import check_arguments
from osprey.tasks.plugin import MetricSpec


def make_callbacks(
    callbacks: CallbacksConfig, values: Mapping[str, Any], run: RunFolder, metric: MetricSpec
) -> list[Callback]:
    """Build the callbacks that the ``callbacks`` group names.

    Where its signature has them, each gets ``monitor`` and ``mode``, the run folder as ``save_dir``
    and its checkpoints folder as ``dirpath``.

    Args:
        callbacks: The group's settings.
        values: What loggers get, too, from `run_time_values`.
        run: The run folder.
        metric: The monitored metric.

    Returns:
        The callbacks, early stopping first.

    Raises:
        ConfigError: A callback cannot be built.
    """
    run_time = {
        **values,
        "monitor": metric.logged,
        "mode": metric.mode,
        "dirpath": run.last.parent,
    }
    made = _early_stopping(callbacks.early_stopping, run_time, metric)
    for name, node in callbacks.args.items():
        if node is not None:
            made.append(instantiate(f"callbacks.{name}", node, Callback, run_time))
    return made


def _early_stopping(value: Any, run_time: Mapping[str, Any], metric: MetricSpec) -> list[Callback]:
    """``5``, ``{patience: 5, min_delta: 0.01}``, or a node with a target."""
    key = "callbacks.early_stopping"
    if value is None:
        return []
    node = {"patience": value} if isinstance(value, int) else dict(value)
    if "_target_" in node:
        return [instantiate(key, node, Callback, run_time)]
    given = arguments_of(node)
    filled = ("monitor", "mode", "check_on_train_epoch_end")
    check_arguments(key, "EarlyStopping", EarlyStopping, given, filled)
    return [ExplainedEarlyStopping(metric, **given)]
