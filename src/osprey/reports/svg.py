"""Static SVG in the page's own colours, without scripts."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape


def tag(name: str, *children: str | Markup, **attributes: str | float | None) -> Markup:
    """An SVG or HTML element; text and attributes are escaped.

    Args:
        name: Tag name.
        *children: Text or elements.
        **attributes: ``_`` in names becomes ``-``, a trailing one is dropped; None leaves it out.

    Returns:
        The element.
    """
    parts = []
    for key, value in attributes.items():
        if value is not None:
            text = num(value) if isinstance(value, float) else str(value)
            parts.append(f' {key.rstrip("_").replace("_", "-")}="{escape(text)}"')
    inside = "".join(str(escape(child)) for child in children)
    return Markup(f"<{name}{''.join(parts)}>{inside}</{name}>")


def num(value: float) -> str:
    """Format a coordinate, the same on every machine.

    Args:
        value: In pixels.

    Returns:
        At most one decimal.
    """
    text = f"{value:.1f}"
    return text.removesuffix(".0") if text != "-0.0" else "0"


def join(parts: Iterable[Markup]) -> Markup:
    """Concatenate elements."""
    return Markup("").join(parts)


def svg(
    width: float, height: float, label: str, *children: Markup, natural: bool = False
) -> Markup:
    """An SVG picture with an accessible label.

    Args:
        width: Of the view box.
        height: Of the view box.
        label: Text for screen readers.
        *children: Elements.
        natural: Fix the size in pixels, else it scales with the page.

    Returns:
        The element.
    """
    size: dict[str, str | float | None] = {}
    if natural:
        # The style sheet lets a picture that is nearly narrow enough shrink to the page.
        size = {"width": width, "height": height, "style": f"--wide:{num(width)}px"}
    box = f"0 0 {num(width)} {num(height)}"
    return tag("svg", *children, viewBox=box, role="img", aria_label=label, **size)


@dataclass(frozen=True)
class Axis:
    """Maps values to pixels.

    Attributes:
        low: Value at ``start``.
        high: Value at ``end``.
        start: Pixel of the low end.
        end: Pixel of the high end.
    """

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        """The pixel of a value."""
        span = self.high - self.low
        share = (value - self.low) / span if span > 0 else 0.5
        return self.start + share * (self.end - self.start)

    def ticks(self, count: int = 5) -> list[float]:
        """Round values on the axis.

        Args:
            count: About so many.

        Returns:
            Rising values between ``low`` and ``high``.
        """
        span = self.high - self.low
        if span <= 0:
            return [self.low]
        raw = span / count
        base = 10.0 ** math.floor(math.log10(raw))
        step = next(base * m for m in (1, 2, 2.5, 5, 10) if base * m >= raw * 0.999)
        first = math.ceil(self.low / step - 1e-9)
        last = math.floor(self.high / step + 1e-9)
        return [k * step for k in range(first, last + 1)]


WIDTH, HEIGHT = 360.0, 250.0  # a chart's own size: text is read as drawn on a phone
LEFT, RIGHT, TOP, BOTTOM = 66.0, 22.0, 12.0, 42.0


def chart_axes(x: tuple[float, float], y: tuple[float, float]) -> tuple[Axis, Axis]:
    """The axes of a chart of the default size.

    Args:
        x: Lowest and highest value.
        y: Lowest and highest value.

    Returns:
        The x and y axes.
    """
    return Axis(*x, LEFT, WIDTH - RIGHT), Axis(*y, HEIGHT - BOTTOM, TOP)


def frame(
    x: Axis,
    y: Axis,
    names: tuple[str, str],
    *,
    percent: tuple[bool, bool] = (False, False),
    whole: tuple[bool, bool] = (False, False),
) -> Markup:
    """Grid, ticks and axis labels.

    Args:
        x: The x axis.
        y: The y axis; no ticks if it has no extent.
        names: Labels of the axes.
        percent: Whether the ticks of each axis are percentages.
        whole: Whether there are only whole numbers on each axis.

    Returns:
        SVG elements.
    """
    parts = []
    for value in y.ticks() if y.start != y.end else []:
        if whole[1] and value != int(value):
            continue
        at = y(value)
        parts.append(tag("line", x1=x.start, x2=x.end, y1=at, y2=at, class_="grid"))
        text = _tick(value, percent[1])
        parts.append(tag("text", text, x=x.start - 6, y=at + 4, class_="end"))
    for value in x.ticks():
        if whole[0] and value != int(value):
            continue
        text = _tick(value, percent[0])
        parts.append(tag("text", text, x=x(value), y=y.start + 17, class_="mid"))
    parts.append(tag("line", x1=x.start, x2=x.end, y1=y.start, y2=y.start, class_="axis"))
    middle = (x.start + x.end) / 2
    parts.append(tag("text", names[0], x=middle, y=HEIGHT - 6, class_="mid name"))
    turn = f"translate(12 {num((y.start + y.end) / 2)}) rotate(-90)"
    parts.append(tag("text", names[1], transform=turn, class_="mid name"))
    return join(parts)


def _tick(value: float, percent: bool) -> str:
    if percent:
        return f"{100 * value:.3g}%"
    if value == 0 or abs(value) >= 0.001:
        return f"{value:.3g}"
    return f"{value:.1e}".replace(".0e", "e").replace("e-0", "e-")  # short: the name is beside it


def line(x: Axis, y: Axis, points: Sequence[tuple[float, float]], class_: str) -> Markup:
    """A line through points; a single point is a dot.

    Args:
        x: The x axis.
        y: The y axis.
        points: Pairs of values.
        class_: CSS class.

    Returns:
        An SVG element.
    """
    if len(points) == 1:
        return tag("circle", cx=x(points[0][0]), cy=y(points[0][1]), r=4.0, class_=f"{class_} dot")
    path = " ".join(f"{num(x(a))},{num(y(b))}" for a, b in points)
    return tag("polyline", points=path, class_=class_)
