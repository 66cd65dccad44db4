"""Charts of detections: precision against recall, counts of each photo."""

from __future__ import annotations

import numpy as np
from markupsafe import Markup

from osprey.reports.run_record import Floats, Ints
from osprey.reports.svg import HEIGHT, WIDTH, chart_axes, frame, line, svg, tag
from osprey.system.console import counted

_POINTS = 160  # of a curve; more cannot be seen
_CELLS = 40  # of the larger count, from which photos of nearly equal counts share a dot


def precision_recall_chart(
    curve: tuple[Floats, Floats, Floats], at: tuple[float, float, float], name: str
) -> Markup:
    """Precision against recall, with the chosen threshold marked.

    Args:
        curve: Recall, precision and score, each float64 [K].
        at: Recall and precision at the chosen threshold, and the threshold.
        name: The class.

    Returns:
        An SVG element.
    """
    recall, precision, scores = curve
    x, y = chart_axes((0.0, 1.0), (0.0, 1.0))
    parts = [frame(x, y, ("recall", "precision"), percent=(True, True))]
    kept = np.arange(len(recall))
    if len(kept) > _POINTS:
        # Even steps of recall: most scores are the low ones, which change nothing any more.
        steps = np.linspace(0, float(recall[-1]), _POINTS)
        ends = (np.searchsorted(recall, steps), np.searchsorted(recall, steps, "right") - 1)
        kept = np.unique(np.concatenate([[0], *ends]).clip(0, len(recall) - 1))
    parts.append(line(x, y, [(float(recall[i]), float(precision[i])) for i in kept], "first"))
    for i in kept[:: max(1, len(kept) // 12)]:
        said = f"score {scores[i]:.3f}: recall {recall[i]:.1%}, precision {precision[i]:.1%}"
        place = {"cx": x(float(recall[i])), "cy": y(float(precision[i])), "r": 3.0}
        parts.append(tag("circle", tag("title", said), class_="first dot", **place))
    found, right, threshold = at
    said = f"threshold {threshold:.2f}: recall {found:.1%}, precision {right:.1%}"
    mark = {"cx": x(found), "cy": y(right), "r": 6.0}
    parts.append(tag("circle", tag("title", said), class_="chosen", **mark))
    side, gap = ("end", -10.0) if found > 0.5 else ("start", 10.0)
    # Below the dot, except at the bottom, and never on the curve, which falls to the right.
    down = 18.0 if right > 0.2 else -10.0
    text = f"threshold {threshold:.2f}"
    parts.append(tag("text", text, x=x(found) + gap, y=y(right) + down, class_=f"{side} strong"))
    return svg(WIDTH, HEIGHT, f"Precision against recall of {name}", *parts)


def count_chart(true: Ints, found: Ints) -> Markup:
    """Scatter plot of the number of detections against true boxes; dot size is number of photos."""
    most = int(max(true.max(initial=1), found.max(initial=1)))
    step = -(-most // _CELLS)
    pairs, n = np.unique(np.stack([true, found], 1) // step, axis=0, return_counts=True)
    x, y = chart_axes((0.0, most), (0.0, most))
    parts = [frame(x, y, ("true boxes", "boxes found"), whole=(True, True))]
    parts.append(tag("line", x1=x(0.0), y1=y(0.0), x2=x(most), y2=y(most), class_="ideal"))
    for (a, b), photos in zip(pairs.tolist(), n.tolist(), strict=True):
        there, seen = (min(most, v * step + (step - 1) / 2) for v in (a, b))
        radius = 3.0 + 6.0 * (photos / n.max()) ** 0.5
        said = f"{_span(a, step)} true, {_span(b, step)} found: {counted(photos, 'photo')}"
        class_ = "right" if a == b else "wrong"
        place = {"cx": x(there), "cy": y(seen), "r": float(radius)}
        parts.append(tag("circle", tag("title", said), class_=f"{class_} count", **place))
    return svg(WIDTH, HEIGHT, "Boxes found against true boxes of each photo", *parts)


def _span(cell: int, step: int) -> str:
    low = cell * step
    return str(low) if step == 1 else f"{low} to {low + step - 1}"
