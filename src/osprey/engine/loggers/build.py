"""Loggers of the configuration; metrics.csv is written without any."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from pytorch_lightning.loggers import Logger

from osprey.config.parse import tree_of
from osprey.config.schema import TrainConfig
from osprey.engine.loggers.wandb import finish
from osprey.errors import Pruned
from osprey.runs.folder import RunFolder
from osprey.system.instantiate import instantiate


def make_loggers(nodes: Mapping[str, Any], run_time: Mapping[str, Any]) -> list[Logger]:
    """Build a logger for each node of the ``logger`` group that is not null.

    Args:
        nodes: By name; null switches one off.
        run_time: What each gets where its signature has it, from `run_time_values`.

    Returns:
        The loggers.

    Raises:
        UserError: One cannot be built, or its package is not installed.
    """
    return [
        instantiate(f"logger.{name}", node, Logger, run_time)
        for name, node in nodes.items()
        if node is not None
    ]


def run_time_values(config: TrainConfig, run: RunFolder) -> dict[str, Any]:
    """Arguments that every logger and callback may take by name.

    Args:
        config: The run's settings.
        run: Its folder.

    Returns:
        ``save_dir``, ``run``, ``config`` and ``hyperparameters`` (the settings as a plain tree).
    """
    return {"save_dir": run.path, "run": run, "config": config, "hyperparameters": tree_of(config)}


@contextmanager
def closing_loggers(run: RunFolder) -> Iterator[None]:
    """End the W&B run with the block, as failed after an exception.

    The next trial of a sweep must not log to it.

    Args:
        run: The run folder.
    """
    code = 1
    try:
        yield
        code = 0
    except Pruned as end:  # by the sweep, which is no failure of the trial's
        if (wandb_run := _wandb_run()) is not None:
            wandb_run.tags = (*(wandb_run.tags or ()), "pruned")
            wandb_run.summary["pruned_after_epoch"] = end.epochs
        code = 0
        raise
    finally:
        finish(run, code)


def _wandb_run() -> Any:
    wandb = sys.modules.get("wandb")
    return None if wandb is None else wandb.run
