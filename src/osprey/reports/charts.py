"""Charts of every report: learning curves, score histograms of right and wrong predictions."""

from __future__ import annotations

import numpy as np
import pandas as pd
from markupsafe import Markup

from osprey.reports.run_record import Floats
from osprey.reports.svg import (
    BOTTOM,
    HEIGHT,
    TOP,
    WIDTH,
    Axis,
    chart_axes,
    frame,
    join,
    line,
    svg,
    tag,
)
from osprey.system.console import counted


def curve(
    metrics: pd.DataFrame, columns: dict[str, str], name: str, best: int, top: float | None = None
) -> Markup | None:
    """Columns of metrics.csv over the epochs, with the best epoch marked.

    Args:
        metrics: One row per epoch.
        columns: ``{column: CSS class of its line}``; missing ones are left out.
        name: Label of the chart.
        best: Number of the best epoch.
        top: Upper end of the scale; default the highest value.

    Returns:
        An SVG element; None where no column has values.
    """
    lines = {}
    for column, class_ in columns.items():
        if column in metrics and "epoch" in metrics:
            part = metrics[["epoch", column]].dropna()
            part = part[np.isfinite(part[column])]
            if len(part):
                lines[class_] = list(zip(part["epoch"], part[column], strict=True))
    if not lines:
        return None
    values = [v for points in lines.values() for _, v in points]
    epochs = [e for points in lines.values() for e, _ in points]
    high = top or max(values) or 1.0
    x, y = chart_axes((min(epochs), max(epochs)), (min(0.0, *values), high))
    mark = Markup("")
    if min(epochs) <= best <= max(epochs):
        side, gap = ("end", -5) if x(best) > WIDTH / 2 else ("start", 5)
        mark = tag("line", x1=x(best), x2=x(best), y1=y.start, y2=y.end, class_="best")
        mark += tag("text", f"best: {best}", x=x(best) + gap, y=TOP + 12.0, class_=f"{side} strong")
    drawn = join(line(x, y, points, class_) for class_, points in lines.items())
    grid = frame(x, y, ("epoch", name), whole=(True, False))
    return svg(WIDTH, HEIGHT, f"{name} over {counted(len(metrics), 'epoch')}", grid, mark, drawn)


def score_histogram(right: Floats, wrong: Floats, names: tuple[str, str], label: str) -> Markup:
    """Histogram of scores, right ones upwards and wrong ones downwards, each normalised.

    Args:
        right: Scores float64 [N], 0 to 1.
        wrong: Scores float64 [M], 0 to 1.
        names: Names of the two groups.
        label: Label of the chart.

    Returns:
        An SVG element.
    """
    edges = np.linspace(0, 1, 21)
    sides = (("right", names[0], right, -1.0), ("wrong", names[1], wrong, 1.0))
    counts = [np.histogram(scores, bins=edges)[0] for _, _, scores, _ in sides]
    shares = [c / max(1, c.sum()) for c in counts]
    most = max(0.05, *(float(s.max()) for s in shares))
    x, _ = chart_axes((0.0, 1.0), (0.0, 1.0))
    middle = (TOP + HEIGHT - BOTTOM) / 2
    reach = middle - TOP
    flat = Axis(0.0, 0.0, HEIGHT - BOTTOM, HEIGHT - BOTTOM)
    parts = [frame(x, flat, ("score", ""), percent=(True, True))]
    for (kind, name, scores, sign), count, share in zip(sides, counts, shares, strict=True):
        for i in np.flatnonzero(count):
            size = float(share[i]) / most * reach
            left = x(float(edges[i])) + 1
            said = f"score {edges[i]:.2f} to {edges[i + 1]:.2f}: {count[i]} {name}"
            box = {"x": left, "y": middle - size if sign < 0 else middle, "height": size}
            width = x(float(edges[i + 1])) - left - 1
            parts.append(tag("rect", tag("title", said), width=width, class_=kind, **box))
        at = middle + sign * reach * 0.85 + 4
        text = f"{name}, n={len(scores)}"
        # Each name on the side where its own bars are low.
        low = count[:10].sum() <= count[10:].sum()
        place = {"x": x(0.0) + 6 if low else x(1.0) - 6, "y": at}
        parts.append(tag("text", text, class_=f"{'start' if low else 'end'} strong", **place))
    parts.append(tag("line", x1=x.start, x2=x.end, y1=middle, y2=middle, class_="axis"))
    return svg(WIDTH, HEIGHT, label, *parts)
