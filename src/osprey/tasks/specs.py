"""Descriptions of a task's metrics and of its report's page, as plain values."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class MetricSpec:
    """A main metric of a task, for logs, console, report, sweep and W&B.

    Attributes:
        key: In summary.json, and after ``val/`` in what the module logs.
        name: Display name.
        higher_is_better: Otherwise lower is.
        format: Format specification of its value.
        logged_as: Name under which the module logs it, if not ``val/`` and the key.
    """

    key: str
    name: str
    higher_is_better: bool = True
    format: str = ".3f"
    logged_as: str = ""

    @property
    def logged(self) -> str:
        """Name of its validation value in Lightning."""
        return self.logged_as or f"val/{self.key}"

    @property
    def mode(self) -> str:
        """``max`` or ``min``, for Lightning's callbacks."""
        return "max" if self.higher_is_better else "min"

    def rank(self, value: float) -> float:
        """A number that is higher for a better value.

        Args:
            value: Value of the metric.

        Returns:
            The value, negated where lower is better.
        """
        return value if self.higher_is_better else -value


@dataclass(frozen=True)
class PairedDifference:
    """How far apart two runs are on the same samples.

    Attributes:
        value: The second's metric minus the first's.
        low: Lower end of its 95% interval.
        high: Upper end.
        n: Samples that both answered.
    """

    value: float
    low: float
    high: float
    n: int

    @property
    def told_apart(self) -> bool:
        """Whether the interval leaves 0 out."""
        return self.low > 0 or self.high < 0


@dataclass(frozen=True)
class Decision:
    """A setting chosen by the data.

    Attributes:
        setting: Its name, such as ``data.size``.
        value: A plain value.
        because: The figure of the data that decided, as the end of a line.
    """

    setting: str
    value: Any
    because: str


@dataclass(frozen=True)
class ReportPage:
    """What `TaskPlugin.report` passes to the renderer.

    Attributes:
        folder: Holds ``report.html``, which extends ``page.html``, and the task's own scripts; a
            template with a shared one's name replaces it.
        values: All values for the templates.
    """

    folder: Path
    values: dict[str, Any]
