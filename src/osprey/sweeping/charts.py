"""Charts of a leaderboard: trials over time, cost against quality, and what was tried."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from osprey.reports.svg import HEIGHT, WIDTH, Axis, chart_axes, frame, join, line, num, svg, tag

_LOG_FROM = 20.0  # highest by lowest value from which an axis is logarithmic
_TOP, _FOOT = 30.0, 28.0  # of the parallel axes
_BETWEEN = 150.0
_GOOD = 0.2  # share of the trials whose lines stand out


def history(values: Sequence[float], name: str, *, higher: bool) -> Markup | None:
    """The value of each trial in the order of their numbers, and the best so far.

    Args:
        values: One a finished trial.
        name: Of the metric.
        higher: Whether more is better.

    Returns:
        An SVG element; None of fewer than two.
    """
    if len(values) < 2:
        return None
    best, so_far = values[0], []
    for value in values:
        best = max(best, value) if higher else min(best, value)
        so_far.append(best)
    x, y = chart_axes((1, len(values)), _wide(values))
    steps = [(n + 1.0, value) for n, value in enumerate(so_far)]
    dots = [_dot(x(n), y(v), f"trial {n}: {v:.4g}") for n, v in enumerate(values, 1)]
    parts = [
        frame(x, y, ("finished trial", name), whole=(True, False)),
        line(x, y, steps, "second"),
    ]
    return svg(WIDTH, HEIGHT, f"{name} of each trial and the best so far", *parts, *dots)


def front(
    costs: Sequence[float], values: Sequence[float], names: tuple[str, str], *, higher: bool
) -> tuple[Markup, list[int]] | None:
    """Quality over cost on a logarithmic axis, with the Pareto front as a line.

    Args:
        costs: Less is better; above 0.
        values: One a cost.
        names: Of the axes.
        higher: Whether more of the value is better.

    Returns:
        An SVG element, and the places of the front, cheapest first; None where all cost the same.
    """
    if len(set(costs)) < 2:
        return None
    places = pareto(costs, values, higher=higher)
    logs = [math.log10(cost) for cost in costs]
    x, y = chart_axes(_wide(logs), _wide(values))
    dots = [
        _dot(x(a), y(b), f"{names[0]} {10**a:.4g}, {names[1]} {b:.4g}")
        for a, b in zip(logs, values, strict=True)
    ]
    axes = frame(x, y, (f"{names[0]} (power of ten)", names[1]))
    shape = line(x, y, [(logs[n], values[n]) for n in places], "second")
    return svg(WIDTH, HEIGHT, f"{names[1]} over {names[0]}", axes, shape, *dots), places


def pareto(costs: Sequence[float], values: Sequence[float], *, higher: bool) -> list[int]:
    """The entries that no other beats in both, cheapest first."""
    sign = 1 if higher else -1
    order = sorted(range(len(costs)), key=lambda n: (costs[n], -sign * values[n]))
    found: list[int] = []
    for n in order:
        if not found or sign * values[n] > sign * values[found[-1]]:
            found.append(n)
    return found


@dataclass(frozen=True)
class Scale:
    """One of the parallel axes.

    Attributes:
        name: Of the setting.
        entries: Each trial's value, as it was set.
    """

    name: str
    entries: tuple[str, ...]

    def places(self) -> tuple[list[float], list[tuple[float, str]]]:
        """Where each trial lies, 0 to 1, and what stands beside the axis."""
        numbers = [_number(entry) for entry in self.entries]
        known = [number for number in numbers if number is not None]
        if len(known) < len(numbers):
            words = sorted(set(self.entries))
            spots = {word: _share(n, len(words)) for n, word in enumerate(words)}
            return [spots[e] for e in self.entries], [(at, word) for word, at in spots.items()]
        low, high = min(known), max(known)
        log = low > 0 and high / low >= _LOG_FROM
        scale = math.log10 if log else float
        axis = Axis(scale(low), scale(high), 0, 1)
        marks = [(0.0, f"{low:.3g}"), (1.0, f"{high:.3g}")] if high > low else [(0.5, f"{low:.3g}")]
        return [axis(scale(number)) for number in known], marks


def parallel(scales: Sequence[Scale], ranks: Sequence[int]) -> Markup | None:
    """One line a trial through what it set; the best fifth stands out.

    Args:
        scales: At least two, the last one the metric.
        ranks: Of each trial, 0 the best.

    Returns:
        An SVG element; None with fewer than two trials.
    """
    if len(ranks) < 2 or len(scales) < 2:
        return None
    width, bottom = 60 + _BETWEEN * (len(scales) - 1) + 60, HEIGHT - _FOOT
    parts, columns = [], []
    for number, scale in enumerate(scales):
        at = 60 + _BETWEEN * number
        spots, marks = scale.places()
        columns.append([(at, bottom - spot * (bottom - _TOP)) for spot in spots])
        parts.append(tag("line", x1=at, x2=at, y1=_TOP, y2=bottom, class_="axis"))
        parts.append(tag("text", _short(scale.name), x=at, y=HEIGHT - 8, class_="mid name"))
        for spot, text in marks:
            y = bottom - spot * (bottom - _TOP)
            parts.append(tag("text", _short(text), x=at + 6, y=y + 4, class_="start strong"))
    best = max(1, round(_GOOD * len(ranks)))
    lines = []
    for trial in sorted(range(len(ranks)), key=lambda n: -ranks[n]):  # the best drawn last
        path = " ".join(f"{num(x)},{num(y)}" for x, y in (column[trial] for column in columns))
        good = ranks[trial] < best
        lines.append(tag("polyline", points=path, class_="first" if good else "other"))
    return svg(width, HEIGHT, "settings of each trial", join(lines), join(parts), natural=True)


def bars(shares: dict[str, float], label: str) -> Markup | None:
    """Shares as bars, the largest first.

    Args:
        shares: 0 to 1, by name.
        label: Of the chart.
    """
    if not shares:
        return None
    step, height = 26.0, 26.0 * len(shares) + 8
    parts = []
    for number, (name, share) in enumerate(sorted(shares.items(), key=lambda item: -item[1])):
        y = step * number + 6
        parts.append(tag("text", _short(name), x=0.0, y=y + 13, class_="start"))
        parts.append(tag("rect", x=170.0, y=y, width=130 * share, height=16.0, class_="right"))
        parts.append(tag("text", f"{share:.0%}", x=176 + 130 * share, y=y + 13, class_="start"))
    return svg(WIDTH, height, label, *parts)


def _dot(x: float, y: float, text: str) -> Markup:
    return tag("circle", tag("title", text), cx=x, cy=y, r=4.0, class_="first dot")


def _wide(values: Sequence[float]) -> tuple[float, float]:
    low, high = min(values), max(values)
    margin = 0.06 * (high - low) or 0.05
    return low - margin, high + margin


def _share(number: int, count: int) -> float:
    return 0.5 if count == 1 else number / (count - 1)


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _short(text: str, length: int = 20) -> str:
    return text if len(text) <= length else f"{text[: length - 1]}\N{HORIZONTAL ELLIPSIS}"
