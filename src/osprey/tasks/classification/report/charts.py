"""Charts of predictions: reliability, coverage."""

from __future__ import annotations

import numpy as np
from markupsafe import Markup

from osprey.reports.figures import wilson
from osprey.reports.svg import HEIGHT, WIDTH, chart_axes, frame, line, num, svg, tag
from osprey.tasks.classification.report.figures import Bin, coverage
from osprey.tasks.classification.report.record import Predictions

_SHARE = (True, True)


def reliability_chart(before: list[Bin], after: list[Bin]) -> Markup:
    """Reliability diagram: accuracy by score, before and after temperature scaling.

    Args:
        before: Bins without temperature scaling.
        after: Bins with it.

    Returns:
        An SVG element.
    """
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


def coverage_chart(predictions: Predictions) -> Markup:
    """Accuracy of the answered photos against coverage, as the score threshold rises.

    Args:
        predictions: On the split shown.

    Returns:
        An SVG element.
    """
    share, accuracy, cut = coverage(predictions)
    total = len(predictions.scores)
    # With a few photos the accuracy is noise; the curve begins at 10.
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
