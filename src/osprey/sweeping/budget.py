"""What a whole sweep may take: ``cost.max_minutes`` and ``cost.max_usd``."""

from __future__ import annotations

import time

from osprey.config.groups.trainer import CostConfig


class Budget:
    """The time of a sweep, from now on.

    Args:
        cost: Its limits.
    """

    def __init__(self, cost: CostConfig) -> None:
        self.cost = cost
        self.started = time.monotonic()

    @property
    def left(self) -> float | None:
        """Minutes; None without a limit."""
        limit = self.cost.minutes_allowed
        return None if limit is None else limit - (time.monotonic() - self.started) / 60

    @property
    def seconds(self) -> float | None:
        """How long to wait for news; None for as long as it takes."""
        return None if self.left is None else max(0.0, 60 * self.left)

    @property
    def spent(self) -> bool:
        """Whether no other trial is to begin."""
        return self.left is not None and self.left <= 0

    @property
    def setting(self) -> str:
        """The limit, as it is written."""
        return self.cost.limit_setting
