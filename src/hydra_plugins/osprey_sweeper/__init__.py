"""Hydra's plugin of Osprey's sweeps: ``hydra/sweeper=osprey``, chosen by ``sweep=optuna|grid``.

Hydra imports this at every start, so what does the work is imported when a sweep begins.
"""

from __future__ import annotations

from typing import Any

from hydra.core.config_store import ConfigStore
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig


class OspreySweeper(Sweeper):
    """Trials chosen by Optuna, or every combination, trained by worker processes."""

    def __init__(self) -> None:
        self.config: DictConfig | None = None

    def setup(
        self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig
    ) -> None:
        """Keep the composed configuration; workers compose each trial anew, as a single run."""
        self.config = config

    def sweep(self, arguments: list[str]) -> Any:
        """Run the sweep to its planned total.

        Args:
            arguments: The overrides of the command line, those of the space among them.
        """
        from osprey.sweeping.sweep import run_sweep

        assert self.config is not None
        return run_sweep(self.config, arguments)


ConfigStore.instance().store(
    group="hydra/sweeper",
    name="osprey",
    node={"_target_": "hydra_plugins.osprey_sweeper.OspreySweeper"},
    provider="osprey",
)
