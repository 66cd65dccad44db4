"""Loggers, by choice and as many as one likes. metrics.csv is written without any of this."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pytorch_lightning.loggers import Logger

from osprey.config.parse import tree_of
from osprey.config.schema import TrainConfig
from osprey.runs.folder import RunFolder
from osprey.system.instantiate import instantiate


def make_loggers(config: TrainConfig, run: RunFolder) -> list[Logger]:
    """A logger for each node of the ``logger`` group that is not null.

    Each is given, where it takes them, ``save_dir`` (the run folder), ``run`` and ``config``.

    Raises:
        UserError: One cannot be made, or its package is not installed.
    """
    run_time = run_time_values(config, run)
    return [
        instantiate(f"logger.{name}", node, Logger, run_time)
        for name, node in config.logger.args.items()
        if node is not None
    ]


def run_time_values(config: TrainConfig, run: RunFolder) -> dict[str, Any]:
    """What loggers and callbacks of any kind may take by name."""
    return {"save_dir": run.path, "run": run, "config": config, "hyperparameters": tree_of(config)}


@contextmanager
def closing_loggers() -> Iterator[None]:
    """End Weights & Biases' run with the block; as failed where an exception leaves it.

    The next trial of a sweep must not write into it.
    """
    code = 1
    try:
        yield
        code = 0
    finally:
        wandb = sys.modules.get("wandb")
        if wandb is not None and wandb.run is not None:
            wandb.run.finish(exit_code=code)
