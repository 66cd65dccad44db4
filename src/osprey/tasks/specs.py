"""What a task says of its figures and of its report's page, as plain values."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class MetricSpec:
    """A figure by which a task is judged; logs, console, report, sweep and W&B all read it.

    Attributes:
        key: In summary.json, and after ``val/`` in what the module logs.
        name: For people.
        higher_is_better: Otherwise lower is.
        format: Format specification of its value.
        logged_as: What the module logs it as, where that is not ``val/`` and the key.
    """

    key: str
    name: str
    higher_is_better: bool = True
    format: str = ".3f"
    logged_as: str = ""

    @property
    def logged(self) -> str:
        """What Lightning knows its validation value as."""
        return self.logged_as or f"val/{self.key}"

    @property
    def mode(self) -> str:
        """``max`` or ``min``, as Lightning's callbacks call it."""
        return "max" if self.higher_is_better else "min"

    def rank(self, value: float) -> float:
        """A number that is higher for a better value."""
        return value if self.higher_is_better else -value


@dataclass(frozen=True)
class ReportPage:
    """What `TaskPlugin.report` hands to the renderer.

    Attributes:
        folder: Holds ``report.html``, which extends ``page.html``, and the task's own scripts; a
            template of a shared one's name takes its place.
        values: All that the templates ask for.
    """

    folder: Path
    values: dict[str, Any]
