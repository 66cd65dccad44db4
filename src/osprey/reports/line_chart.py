"""A line chart as a PNG drawn with OpenCV: quick, and without a plotting library.

matplotlib would bring six packages of 57 MB, and four seconds before the first chart, for the one
curve that ``osprey find lr`` draws; the report's charts are SVG.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from osprey.system.files import write_bytes

_WIDTH, _HEIGHT = 960, 560
_LEFT, _RIGHT, _TOP, _BOTTOM = 100, 30, 60, 80
_INK, _GRID, _LINE, _MARK = (40, 40, 40), (225, 225, 225), (160, 90, 20), (40, 40, 200)  # BGR


def line_chart(
    path: Path,
    x: Sequence[float],
    y: Sequence[float],
    *,
    title: str,
    x_label: str,
    y_label: str,
    x_log: bool = True,
    mark: float | None = None,
) -> None:
    """Draw ``y`` over ``x`` and write it to ``path``.

    Args:
        path: A ``.png``; its folder exists.
        x: Rising numbers, above 0 if ``x_log``.
        y: As many finite numbers.
        title: ASCII, like all texts here.
        x_label: Below the axis.
        y_label: Above the axis.
        x_log: Whether the x axis is logarithmic.
        mark: Position on the x axis of a vertical line.
    """
    picture = np.full((_HEIGHT, _WIDTH, 3), 255, np.uint8)
    across = [math.log10(v) for v in x] if x_log else list(x)
    x_span, y_span = _span(across, 0.0), _span(list(y), 0.08)

    def column(value: float) -> int:
        share = (value - x_span[0]) / (x_span[1] - x_span[0])
        return round(_LEFT + share * (_WIDTH - _LEFT - _RIGHT))

    def row(value: float) -> int:
        share = (value - y_span[0]) / (y_span[1] - y_span[0])
        return round(_HEIGHT - _BOTTOM - share * (_HEIGHT - _TOP - _BOTTOM))

    for tick in _ticks(*y_span):
        cv2.line(picture, (_LEFT, row(tick)), (_WIDTH - _RIGHT, row(tick)), _GRID, 1)
        _write(picture, f"{tick:g}", (_LEFT - 10, row(tick) + 5), anchor=1.0)
    places = _decades(*x_span) if x_log else [(v, f"{v:g}") for v in _ticks(*x_span)]
    for tick, name in places:
        cv2.line(picture, (column(tick), _TOP), (column(tick), _HEIGHT - _BOTTOM), _GRID, 1)
        _write(picture, name, (column(tick), _HEIGHT - _BOTTOM + 25), anchor=0.5)
    if mark is not None:
        at = column(math.log10(mark) if x_log else mark)
        cv2.line(picture, (at, _TOP), (at, _HEIGHT - _BOTTOM), _MARK, 2, cv2.LINE_AA)
    points = np.array([(column(a), row(b)) for a, b in zip(across, y, strict=True)], np.int32)
    cv2.polylines(picture, [points.reshape(-1, 1, 2)], False, _LINE, 2, cv2.LINE_AA)
    if len(points) <= 20:
        for point in points:
            cv2.circle(picture, (int(point[0]), int(point[1])), 5, _LINE, -1, cv2.LINE_AA)
    corners = ((_LEFT, _TOP), (_WIDTH - _RIGHT, _HEIGHT - _BOTTOM))
    cv2.rectangle(picture, *corners, _INK, 1)
    _write(picture, title, (_LEFT, 28), size=0.7)
    _write(picture, y_label, (_LEFT, 50))
    _write(picture, x_label, ((_LEFT + _WIDTH - _RIGHT) // 2, _HEIGHT - 20), anchor=0.5)
    done, encoded = cv2.imencode(".png", picture)
    assert done
    write_bytes(path, encoded.tobytes())  # not imwrite, which takes no odd names


def _write(
    picture: NDArray[np.uint8],
    text: str,
    at: tuple[int, int],
    *,
    anchor: float = 0.0,
    size: float = 0.5,
) -> None:
    font = cv2.FONT_HERSHEY_SIMPLEX
    (width, _), _ = cv2.getTextSize(text, font, size, 1)
    place = (round(at[0] - anchor * width), at[1])
    cv2.putText(picture, text, place, font, size, _INK, 1, cv2.LINE_AA)


def _span(values: list[float], margin: float) -> tuple[float, float]:
    low, high = min(values), max(values)
    room = (high - low) * margin or (0.0 if high > low else 0.5)
    return low - room, high + room


def _ticks(low: float, high: float) -> list[float]:
    """Four to ten round numbers between ``low`` and ``high``."""
    rough = (high - low) / 5
    power = 10.0 ** math.floor(math.log10(rough))
    step = min((1, 2, 5, 10), key=lambda factor: abs(factor * power - rough)) * power
    first = math.ceil(low / step)
    return [round(i * step, 12) for i in range(first, math.floor(high / step) + 1)]


def _decades(low: float, high: float) -> list[tuple[float, str]]:
    """Places and names on a logarithmic axis: powers of ten, of two where there are few."""
    if high - low >= 2.5:
        whole = range(math.ceil(low - 1e-9), math.floor(high + 1e-9) + 1)
        return [(float(i), f"1e{i}" if i else "1") for i in whole]
    twos = range(math.ceil(low / math.log10(2) - 1e-9), math.floor(high / math.log10(2) + 1e-9) + 1)
    return [(i * math.log10(2), f"{2.0**i:g}") for i in twos]
