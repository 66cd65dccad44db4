"""Things that lie about on deck or get in front of the fish, and what spills on the planks."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from osprey.data.harbour.paint import (
    Colour,
    Floats,
    Image,
    Point,
    bezier,
    disc,
    fill,
    shade,
    spline,
    stroke,
)

Rng = np.random.Generator


def _frame(centre: Point, angle: float, points: list[Point], size: float) -> Floats:
    """Turn, scale and move points of a unit drawing."""
    c, s = np.cos(angle) * size, np.sin(angle) * size
    turned: Floats = np.array(points) @ np.array([[c, s], [-s, c]]) + np.array(centre)
    return turned


def rope(picture: Image, rng: Rng, at: Point, unit: float) -> None:
    """Lay a wavy rope through ``at``."""
    hues: tuple[Colour, ...] = ((206, 190, 150), (64, 120, 190), (220, 120, 50), (70, 150, 110))
    colour = hues[int(rng.integers(4))]
    places = np.linspace(-0.9, 0.9, 7)
    y = spline(places.tolist(), rng.uniform(-0.14, 0.14, 7).tolist(), np.linspace(-0.9, 0.9, 48))
    line = list(zip(np.linspace(-0.9, 0.9, 48).tolist(), y.tolist(), strict=True))
    path = _frame(at, float(rng.uniform(0, np.pi)), line, unit)
    width = unit * float(rng.uniform(0.022, 0.04))
    stroke(picture, path + width * 0.5, (30, 28, 26), width)
    stroke(picture, path, shade(colour, 0.6), width)
    stroke(picture, path, colour, width * 0.6)


def bucket(picture: Image, rng: Rng, at: Point, unit: float) -> None:
    """Stand a bucket, seen from above."""
    hues: tuple[Colour, ...] = ((222, 222, 214), (40, 92, 160), (208, 96, 36), (52, 56, 60))
    colour = hues[int(rng.integers(4))]
    size = unit * float(rng.uniform(0.11, 0.17))
    disc(picture, (at[0] + size * 0.25, at[1] + size * 0.3), size, (34, 32, 30))
    disc(picture, at, size, colour)
    disc(picture, at, size * 0.85, shade(colour, 0.42))
    disc(picture, (at[0] + size * 0.1, at[1] + size * 0.12), size * 0.62, (66, 52, 50))


def crate(picture: Image, rng: Rng, at: Point, unit: float) -> None:
    """Stand a plastic fish crate."""
    hues: tuple[Colour, ...] = ((196, 60, 48), (46, 98, 168), (218, 190, 60), (200, 204, 204))
    colour = hues[int(rng.integers(4))]
    angle, size = float(rng.uniform(-0.5, 0.5)), unit * float(rng.uniform(0.2, 0.3))
    for grow, tone in ((1.06, 0.35), (1.0, 1.0), (0.84, 0.5)):
        corners: list[Point] = [(-1, -0.62), (1, -0.62), (1, 0.62), (-1, 0.62)]
        scaled = [(x * grow, y * grow) for x, y in corners]
        fill(picture, _frame(at, angle, scaled, size), shade(colour, tone))
    for x in np.linspace(-0.66, 0.66, 6):
        slat = _frame(at, angle, [(float(x), -0.5), (float(x), 0.5)], size)
        stroke(picture, slat, shade(colour, 0.75), size * 0.07)


def hook(picture: Image, rng: Rng, at: Point, unit: float) -> None:
    """Drop a gaff: a pole with a steel hook."""
    angle, size = float(rng.uniform(0, 2 * np.pi)), unit * float(rng.uniform(0.3, 0.45))
    pole = _frame(at, angle, [(0.0, 0.0), (1.6, 0.0)], size)
    stroke(picture, pole + unit * 0.012, (30, 28, 26), unit * 0.028)
    stroke(picture, pole, (196, 160, 96), unit * 0.024)
    arc = [(float(x), float(y)) for x, y in bezier((0.0, 0.0), (-0.5, 0.0), (-0.25, 0.34))]
    stroke(picture, _frame(at, angle, arc, size), (176, 182, 186), unit * 0.02)


def hose(picture: Image, rng: Rng, at: Point, unit: float) -> None:
    """Coil a hose."""
    colour: Colour = (36, 120, 70) if rng.random() < 0.5 else (200, 168, 40)
    turn = np.linspace(0, 5.2 * np.pi, 70)
    radius = np.linspace(0.1, 0.24, 70)
    coil = np.stack([np.cos(turn) * radius, np.sin(turn) * radius * 0.8], axis=1) * unit
    stroke(picture, coil + np.array(at) + unit * 0.012, (28, 28, 26), unit * 0.026)
    stroke(picture, coil + np.array(at), colour, unit * 0.02)


def boots(picture: Image, rng: Rng, at: Point, unit: float) -> None:
    """Stand a pair of boots, seen from above, with oilskin legs."""
    hues: tuple[Colour, ...] = ((232, 120, 30), (224, 190, 50), (40, 66, 60))
    colour, angle = hues[int(rng.integers(3))], float(rng.uniform(0, 2 * np.pi))
    turn = np.linspace(0, 2 * np.pi, 20)
    for side in (-0.55, 0.55):
        sole = [(float(np.cos(t)), float(0.42 * np.sin(t) + side)) for t in turn]
        foot = _frame(at, angle, sole, unit * 0.14)
        fill(picture, foot + unit * 0.015, (26, 26, 26))
        fill(picture, foot, (226, 226, 216) if colour[2] > 40 else (44, 46, 48))
        x, y = _frame(at, angle, [(-0.45, side)], unit * 0.14)[0]
        disc(picture, (float(x), float(y)), unit * 0.066, colour)


def glove(picture: Image, rng: Rng, at: Point, unit: float) -> None:
    """Reach an oilskin arm with a gloved hand in from beyond the nearest edge."""
    height, width = picture.shape[:2]
    away = np.array([at[0] - width / 2, at[1] - height / 2]) + rng.normal(0, unit * 0.2, 2)
    angle = float(np.arctan2(away[1], away[0]))
    sleeves: tuple[Colour, ...] = ((234, 122, 32), (226, 196, 60), (60, 96, 84), (40, 70, 130))
    sleeve = sleeves[int(rng.integers(4))]
    hand: Colour = (226, 222, 206) if rng.random() < 0.6 else (70, 140, 170)
    arm = _frame(at, angle, [(0.35, -0.42), (6.0, -0.75), (6.0, 0.75), (0.35, 0.42)], unit * 0.16)
    fill(picture, arm, sleeve)
    low = _frame(at, angle, [(0.35, 0.2), (6.0, 0.4), (6.0, 0.75), (0.35, 0.42)], unit * 0.16)
    fill(picture, low, shade(sleeve, 0.72))
    for finger in (-0.34, -0.12, 0.1, 0.3):
        tip = _frame(at, angle, [(0.0, finger), (-0.55, finger * 1.25)], unit * 0.16)
        stroke(picture, tip, shade(hand, 0.88), unit * 0.03)
    palm = _frame(at, angle, [(0.08, 0.0)], unit * 0.16)[0]
    disc(picture, (float(palm[0]), float(palm[1])), unit * 0.072, hand)


GEAR: dict[str, Callable[[Image, Rng, Point, float], None]] = {
    "rope": rope, "bucket": bucket, "crate": crate, "hook": hook, "hose": hose, "boots": boots,
    "glove": glove,
}  # fmt: skip


def spill(picture: Image, rng: Rng, at: Point, unit: float, colour: Colour, part: float) -> None:
    """Stain the deck with a see-through puddle round ``at``; ``part`` is how much it covers."""
    turn = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    rough = rng.uniform(0.55, 1.0, 24) * unit * float(rng.uniform(0.1, 0.3))
    shape = np.stack([np.cos(turn) * rough * 1.5, np.sin(turn) * rough], axis=1) + np.array(at)
    low = np.clip(shape.min(0) - 2, 0, None).astype(int)
    high = shape.max(0).astype(int) + 3
    patch = picture[low[1] : high[1], low[0] : high[0]]
    if patch.size:
        stained = patch.copy()
        fill(stained, shape - low, colour)
        cv2.addWeighted(stained, part, patch, 1.0 - part, 0.0, dst=patch)
