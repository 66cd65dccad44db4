"""Drawing tools shared by fish, gear and decks: curves, palettes and a transparent sheet."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]
Floats = NDArray[np.float64]
Colour = tuple[float, float, float]
Point = tuple[float, float]

_SHIFT = 4  # OpenCV takes polygon corners as fixed-point numbers with this many binary places


def fixed(points: Floats) -> NDArray[np.int32]:
    """Turn pixel points, float ``[N,2]``, into the fixed-point corners that ``fill`` draws."""
    return np.round(points * (1 << _SHIFT)).astype(np.int32).reshape(-1, 1, 2)


def ink(colour: Colour) -> tuple[float, float, float, float]:
    """Return an opaque OpenCV colour; on a three-channel picture the fourth value is ignored."""
    red, green, blue = (min(max(c, 0.0), 255.0) for c in colour)
    return (red, green, blue, 255.0)


def fill(picture: Image, points: Floats, colour: Colour) -> None:
    """Fill the polygon ``points`` (float ``[N,2]`` pixels) on an RGB or RGBA picture, in place."""
    cv2.fillPoly(picture, [fixed(points)], ink(colour), cv2.LINE_AA, _SHIFT)


def stroke(picture: Image, points: Floats, colour: Colour, width: float) -> None:
    """Draw the open line ``points`` (float ``[N,2]`` pixels), ``width`` pixels thick, in place."""
    thick = max(1, round(width))
    cv2.polylines(picture, [fixed(points)], False, ink(colour), thick, cv2.LINE_AA, _SHIFT)


def disc(picture: Image, centre: Point, radius: float, colour: Colour) -> None:
    """Fill a circle; ``centre`` and ``radius`` in pixels, in place."""
    at = (round(centre[0] * 16), round(centre[1] * 16))
    cv2.circle(picture, at, max(1, round(radius * 16)), ink(colour), -1, cv2.LINE_AA, _SHIFT)


def shade(colour: Colour, factor: float) -> Colour:
    """Darken (below 1) or lighten (above 1) a colour."""
    return (colour[0] * factor, colour[1] * factor, colour[2] * factor)


@lru_cache(maxsize=16)
def _weights(steps: int) -> Floats:
    t = np.linspace(0.0, 1.0, steps)
    return np.stack([(1 - t) ** 2, 2 * t * (1 - t), t**2], axis=1)


def bezier(start: Point, control: Point, end: Point, steps: int = 9) -> Floats:
    """Return ``[steps,2]`` points of a quadratic curve."""
    curve: Floats = _weights(steps) @ np.array((start, control, end), dtype=float)
    return curve


def bowed(start: Point, end: Point, bow: float, steps: int = 9) -> Floats:
    """Return a curve from ``start`` to ``end`` pushed sideways by ``bow`` times its length."""
    (x0, y0), (x1, y1) = start, end
    control = ((x0 + x1) / 2 + (y1 - y0) * bow * 2, (y0 + y1) / 2 - (x1 - x0) * bow * 2)
    return bezier(start, control, end, steps)


def spline(xs: Sequence[float], ys: Sequence[float], at: Floats) -> Floats:
    """Return a smooth curve through ``(xs, ys)`` at ``at``; tangents are finite differences."""
    x, y = np.asarray(xs, float), np.asarray(ys, float)
    slope = np.gradient(y, x)
    i = np.clip(np.searchsorted(x, at, side="right") - 1, 0, len(x) - 2)
    h = x[i + 1] - x[i]
    t = (at - x[i]) / h
    rise = t * t * (3 - 2 * t)
    bend = h * (t * (1 - t) ** 2 * slope[i] - t * t * (1 - t) * slope[i + 1])
    curve: Floats = y[i] * (1 - rise) + y[i + 1] * rise + bend
    return curve


def gradient(stops: Sequence[tuple[float, Colour]]) -> NDArray[np.float32]:
    """Return a palette, float32 ``[256,3]``, that runs through colours at places in 0..1."""
    places = [place for place, _ in stops]
    at = np.linspace(0.0, 1.0, 256)
    bands = [np.interp(at, places, [colour[c] for _, colour in stops]) for c in range(3)]
    return np.stack(bands, axis=1).astype(np.float32)


def clouds(rng: np.random.Generator, height: int, width: int, cells: int) -> NDArray[np.float32]:
    """Return smooth noise, float32 ``[height,width]`` of about -1..1, ``cells`` blobs across."""
    rows = max(2, round(cells * height / width))
    coarse = rng.uniform(-1.0, 1.0, (rows, max(2, cells))).astype(np.float32)
    smooth = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    return np.asarray(smooth, dtype=np.float32)


class Sheet:
    """A transparent sheet on which one fish is drawn, head to the left and belly down.

    Places are in body lengths: x runs from 0 (snout) to 1 (tail tip), y is 0 on the midline and
    grows towards the belly. ``rgba`` is uint8 ``[H,W,4]`` with premultiplied alpha, because
    anti-aliased drawing on an empty four-channel picture yields exactly that.
    """

    margin = 0.06
    reach = 0.46

    def __init__(self, length: float, bend: float) -> None:
        """Make an empty sheet for a fish ``length`` pixels long, its midline bowed by ``bend``."""
        self.length, self.bend = length, bend
        height, width = (round(length * part) for part in (2 * self.reach, 1 + 2 * self.margin))
        self.rgba: Image = np.zeros((max(8, height), max(8, width), 4), np.uint8)

    def pixels(self, points: Floats) -> Floats:
        """Map body coordinates, ``[N,2]``, to pixels of the sheet."""
        placed: Floats = points + np.array((self.margin, self.reach))
        placed[:, 1] += self.bend * ((points[:, 0] - 0.45) ** 2 - 0.1)
        placed *= self.length
        return placed

    def area(self, points: Floats, colour: Colour) -> None:
        """Fill an outline given in body coordinates."""
        fill(self.rgba, self.pixels(points), colour)

    def line(self, points: Floats, colour: Colour, width: float = 0.006) -> None:
        """Draw an open line given in body coordinates, ``width`` in body lengths."""
        stroke(self.rgba, self.pixels(points), colour, width * self.length)

    def areas(self, outlines: Sequence[Floats], colour: Colour) -> None:
        """Fill several outlines of one colour at once."""
        corners = [fixed(self.pixels(outline)) for outline in outlines]
        cv2.fillPoly(self.rgba, corners, ink(colour), cv2.LINE_AA, _SHIFT)

    def rays(self, lines: Sequence[Floats], colour: Colour) -> None:
        """Draw several hairlines of one colour at once."""
        corners = [fixed(self.pixels(line)) for line in lines]
        thick = max(1, round(0.003 * self.length))
        cv2.polylines(self.rgba, corners, False, ink(colour), thick, cv2.LINE_AA, _SHIFT)

    def spots(self, x: Floats, y: Floats, radius: Floats, colour: Colour) -> None:
        """Fill many small circles; OpenCV's own circles turn into crosses when this small."""
        turn = np.linspace(0.0, 2 * np.pi, 10, endpoint=False)
        circle = np.stack([np.cos(turn), np.sin(turn)], axis=1)
        centres = np.stack([x, y], axis=1)
        self.areas(list(circle * radius[:, None, None] + centres[:, None]), colour)

    def dot(self, x: float, y: float, radius: float, colour: Colour) -> None:
        """Draw a filled circle, everything in body lengths."""
        px, py = self.pixels(np.array([[x, y]]))[0]
        disc(self.rgba, (float(px), float(py)), radius * self.length, colour)

    def fin(
        self, front: Point, tip: Point, back: Point, colour: Colour, lead: float = 0.12
    ) -> None:
        """Draw a swept fin: bowed leading edge, hollow trailing edge, and a few rays."""
        (fx, fy), (tx, ty), (bx, by) = front, tip, back
        side = 1.0 if (tx - fx) * (by - fy) < (ty - fy) * (bx - fx) else -1.0
        edge = np.concatenate([bowed(front, tip, lead * side), bowed(tip, back, -0.15 * side)])
        self.area(edge, colour)
        lines = []
        for part in (0.35, 0.65):
            x, y = fx + (bx - fx) * part, fy + (by - fy) * part
            lines.append(np.array([[x, y], [tx * 0.6 + x * 0.4, ty * 0.6 + y * 0.4]]))
        self.rays(lines, shade(colour, 0.72))

    def ribbon(self, x: Floats, base: Floats, rise: Floats, colour: Colour) -> None:
        """Draw a long low fin that stands ``rise`` off the ``base`` line (negative is up)."""
        outline = np.stack([np.r_[x, x[::-1]], np.r_[base, (base + rise)[::-1]]], axis=1)
        self.area(outline, colour)
        foot = np.stack([x, base], axis=1)[1:-1:3]
        tip = np.stack([x + 0.012, base + rise * 0.92], axis=1)[1:-1:3]
        self.rays(list(np.stack([foot, tip], axis=1)), shade(colour, 0.72))

    def body(
        self, x: Floats, top: Floats, bottom: Floats, palette: NDArray[np.float32], mottle: Image
    ) -> None:
        """Paint the trunk between two outlines, coloured from back to belly by ``palette``."""
        upper = self.pixels(np.stack([x, top], axis=1))
        lower = self.pixels(np.stack([x, bottom], axis=1))
        height, width = self.rgba.shape[:2]
        mask = np.zeros((height, width), np.uint8)
        cv2.fillPoly(mask, [fixed(np.r_[upper, lower[::-1]])], (255,), cv2.LINE_AA, _SHIFT)
        columns = np.arange(width)
        roof = np.interp(columns, upper[:, 0], upper[:, 1]).astype(np.float32)
        floor = np.interp(columns, lower[:, 0], lower[:, 1]).astype(np.float32)
        first = max(0, int(upper[:, 1].min()) - 2)
        last = min(height, int(lower[:, 1].max()) + 3)
        rows = np.arange(first, last, dtype=np.float32)[:, None]
        depth = (rows - roof) / np.maximum(floor - roof, 1.0)
        index = np.clip(depth * 255.0, 0.0, 255.0).astype(np.uint8)
        grain = cv2.resize(mottle, (width, last - first), interpolation=cv2.INTER_CUBIC)
        skin = palette[index] * (grain.astype(np.float32) * (1 / 128.0))[..., None]
        alpha = mask[first:last].astype(np.float32)[..., None] * (1 / 255.0)
        under = self.rgba[first:last].astype(np.float32)
        under *= 1.0 - alpha
        under[..., :3] += np.minimum(skin, 255.0) * alpha
        under[..., 3:] += 255.0 * alpha
        self.rgba[first:last] = under.astype(np.uint8)
