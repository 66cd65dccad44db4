"""Charts of detections."""

from __future__ import annotations

import re

import numpy as np

from osprey.reports.svg import chart_axes
from osprey.tasks.detection.report.charts import precision_recall_chart


def test_precision_falls_where_recall_stands_still() -> None:
    """Two true boxes and, between them, three hundred false ones: the threshold is among these."""
    hits = np.array([1, *[0] * 300, 1]).cumsum()
    recall, precision = hits / 2, hits / np.arange(1, 303)
    chart = precision_recall_chart(
        (recall, precision, np.linspace(1, 0, 302)), (0.5, precision[100], 0.7), "cod"
    )
    x, y = chart_axes((0.0, 1.0), (0.0, 1.0))
    (drawn,) = re.findall(r'<polyline[^>]*points="([^"]+)"', str(chart))
    points = [tuple(map(float, point.split(","))) for point in drawn.split()]
    low = [y(float(p)) for p in (precision[0], precision[300])]
    there = [height for across, height in points if abs(across - x(0.5)) < 0.2]
    assert min(there) - 0.2 < low[0] < low[1] < max(there) + 0.2
