"""Descriptions of a task's metrics, of its report's page and of two runs, as plain values."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from osprey.imaging.boxes import Boxes
from osprey.imaging.drawing import Colour


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
class Panel:
    """A photo as the page of two runs shows it.

    Attributes:
        name: Which run's boxes are drawn; empty: the photo alone.
        outlines: Boxes, corners in the photo's own pixels, and their colour; the last on top.
        around: The part that is shown, around this box with corners in pixels; None: the photo.
    """

    name: str = ""
    outlines: tuple[tuple[Boxes, Colour], ...] = ()
    around: tuple[float, float, float, float] | None = None


@dataclass(frozen=True)
class ChangedPhoto:
    """A photo that two runs answer otherwise.

    Attributes:
        paths: As the first and as the second run call it.
        answers: What each says, in words, and whether it is right; None: neither right nor wrong.
        truth: What it is; empty: nothing.
        panels: How it is shown.
    """

    paths: tuple[str, str]
    answers: tuple[tuple[str, bool | None], tuple[str, bool | None]]
    truth: str = ""
    panels: tuple[Panel, ...] = (Panel(),)


@dataclass(frozen=True)
class ChangedGroup:
    """Photos that two runs answer otherwise in one way.

    Attributes:
        title: The way.
        count: How many there are.
        photos: Those most worth a look, first.
    """

    title: str
    count: int
    photos: list[ChangedPhoto]


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
