"""The charts of a report: curves, reliability, score distributions, coverage."""

from __future__ import annotations

import numpy as np
import pandas as pd
from markupsafe import Markup

from osprey.reports.facts import Predictions
from osprey.reports.figures import Bin, coverage, wilson
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
    num,
    svg,
    tag,
)

_SHARE = (True, True)


def curve(
    metrics: pd.DataFrame, columns: dict[str, str], name: str, best: int, top: float | None = None
) -> Markup | None:
    """Columns of metrics.csv over the epochs, the best epoch marked; None where there are none.

    Args:
        metrics: One row an epoch.
        columns: ``{column: class of its line}``; absent ones are left out.
        name: What the chart shows.
        best: The best epoch.
        top: Upper end of the scale; the highest value unless given.
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
    grid = frame(x, y, ("epoch", name), whole_x=True)
    return svg(WIDTH, HEIGHT, f"{name} over {len(metrics)} epochs", grid, mark, drawn)


def reliability_chart(before: list[Bin], after: list[Bin]) -> Markup:
    """How often answers of a score are right, before and after the fitted temperature."""
    x, y = chart_axes((0.0, 1.0), (0.0, 1.0))
    most = max(b.n for b in [*before, *after])
    parts = [frame(x, y, ("score", "share right"), percent=_SHARE)]
    parts.append(tag("line", x1=x(0.0), y1=y(0.0), x2=x(1.0), y2=y(1.0), class_="ideal"))
    for bins, class_ in ((before, "second"), (after, "first")):
        for b in bins if class_ == "first" else []:
            parts.append(
                tag("line", x1=x(b.score), x2=x(b.score), y1=y(b.low), y2=y(b.high), class_="bar")
            )
        parts.append(line(x, y, [(b.score, b.right) for b in bins], class_))
        for b in bins:
            said = f"score {b.score:.2f}: {b.right:.1%} right (n={b.n})"
            radius = 2.5 + 4.5 * (b.n / most) ** 0.5
            dot = tag("title", said)
            at = {"cx": x(b.score), "cy": y(b.right), "r": radius}
            parts.append(tag("circle", dot, class_=f"{class_} dot", **at))
    return svg(WIDTH, HEIGHT, "Reliability: share right by score", *parts)


def score_histogram(predictions: Predictions) -> Markup:
    """Scores of right answers upwards, of wrong ones downwards, as shares of each kind."""
    edges = np.linspace(0, 1, 21)
    kinds = {
        "right": predictions.scores[predictions.right],
        "wrong": predictions.scores[~predictions.right],
    }
    counts = {kind: np.histogram(s, bins=edges)[0] for kind, s in kinds.items()}
    shares = {kind: c / max(1, c.sum()) for kind, c in counts.items()}
    most = max(0.05, *(float(s.max()) for s in shares.values()))
    x, _ = chart_axes((0.0, 1.0), (0.0, 1.0))
    middle = (TOP + HEIGHT - BOTTOM) / 2
    reach = middle - TOP
    flat = Axis(0.0, 0.0, HEIGHT - BOTTOM, HEIGHT - BOTTOM)
    parts = [frame(x, flat, ("score", ""), percent=_SHARE)]
    for kind, sign in (("right", -1.0), ("wrong", 1.0)):
        for i, share in enumerate(shares[kind]):
            size = float(share) / most * reach
            if not size:
                continue
            left = x(float(edges[i])) + 1
            said = f"score {edges[i]:.2f} to {edges[i + 1]:.2f}: {counts[kind][i]} {kind}"
            box = {"x": left, "y": middle - size if sign < 0 else middle, "height": size}
            width = x(float(edges[i + 1])) - left - 1
            parts.append(tag("rect", tag("title", said), width=width, class_=kind, **box))
        text = f"{kind}, n={len(kinds[kind])}"
        at = middle + sign * reach * 0.85 + 4
        parts.append(tag("text", text, x=x(0.0) + 6, y=at, class_="start strong"))
    parts.append(tag("line", x1=x.start, x2=x.end, y1=middle, y2=middle, class_="axis"))
    return svg(WIDTH, HEIGHT, "Scores of right and of wrong answers", *parts)


def coverage_chart(predictions: Predictions) -> Markup:
    """Accuracy among the answered, as a threshold turns the least sure away."""
    share, accuracy, cut = coverage(predictions)
    total = len(predictions.scores)
    # A few photos alone jump between 0 and 1; the curve begins where a figure says something.
    kept = np.flatnonzero(share * total >= min(10, total))
    if len(kept) > 200:
        kept = kept[np.unique(np.linspace(0, len(kept) - 1, 200).round().astype(int))]
    points = [(float(share[i]), float(accuracy[i])) for i in kept]
    bounds = [wilson(round(a * c * total), round(c * total)) for c, a in points]
    low = max(0.0, min(b[0] for b in bounds) - 0.02)
    x, y = chart_axes((0.0, 1.0), (low, 1.0))
    ring = [(c, b[1]) for (c, _), b in zip(points, bounds, strict=True)]
    ring += [(c, b[0]) for (c, _), b in zip(reversed(points), reversed(bounds), strict=True)]
    band = " ".join(f"{num(x(a))},{num(y(b))}" for a, b in ring)
    parts = [frame(x, y, ("coverage: share answered", "accuracy of answers"), percent=_SHARE)]
    parts.append(tag("polygon", points=band, class_="band"))
    parts.append(line(x, y, points, "first"))
    for i in kept[:: max(1, len(kept) // 12)]:
        said = f"threshold {cut[i]:.4f}: answers {share[i]:.1%}, {accuracy[i]:.1%} right"
        at = {"cx": x(float(share[i])), "cy": y(float(accuracy[i])), "r": 4.0}
        parts.append(tag("circle", tag("title", said), class_="first dot", **at))
    return svg(WIDTH, HEIGHT, "Coverage against accuracy", *parts)
