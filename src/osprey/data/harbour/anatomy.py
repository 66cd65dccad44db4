"""What all the drawn fish share: eyes, gills, tails, skin, and how individuals differ."""

from __future__ import annotations

import numpy as np

from osprey.data.harbour.paint import Colour, Image, Sheet, bowed

Rng = np.random.Generator

ALONG = np.linspace(0.0, 0.92, 40)
"""Where trunk outlines are read, in body lengths from the snout to the root of the tail."""

INK: Colour = (26, 28, 34)


def wobble(rng: Rng, value: float, spread: float = 0.08) -> float:
    """Return ``value`` off by at most ``spread`` of itself: no two fish are alike."""
    return float(value * (1.0 + rng.uniform(-spread, spread)))


def tinted(rng: Rng, colour: Colour, fade: float = 0.0) -> Colour:
    """Jitter a colour and, as a dead fish does, let it fade towards grey."""
    grey = sum(colour) / 3.0
    light = rng.uniform(0.9, 1.1)
    red, green, blue = (float((c + (grey - c) * fade) * light * rng.uniform(0.96, 1.04))
                        for c in colour)  # fmt: skip
    return (red, green, blue)


def mottle(rng: Rng, strength: int = 14) -> Image:
    """Return coarse skin noise around 128, stretched over the body when it is painted."""
    return rng.integers(128 - strength, 129 + strength, (6, 14)).astype(np.uint8)


def head(sheet: Sheet, eye: tuple[float, float, float], gill: float, jaw: float) -> None:
    """Draw eye, gill cover and mouth; ``eye`` is x, y, radius."""
    x, y, radius = eye
    sheet.line(bowed((gill, y - 0.05), (gill - 0.01, y + 0.085), 0.16), (58, 54, 58), 0.006)
    sheet.line(bowed((0.004, jaw), (x - 0.01, jaw + 0.024), -0.05), INK, 0.006)
    sheet.dot(x, y, radius * 1.3, (206, 200, 176))
    sheet.dot(x, y, radius * 0.85, (12, 12, 16))
    sheet.dot(x - radius * 0.3, y - radius * 0.35, radius * 0.25, (245, 245, 245))


def tail(sheet: Sheet, span: float, fork: float, colour: Colour, root: float = 0.9) -> None:
    """Draw a forked tail: ``span`` half its height, ``fork`` the x of the notch."""
    for side in (-1.0, 1.0):
        sheet.fin((root - 0.02, side * 0.012), (1.0, side * span), (fork, 0.0), colour, 0.1)
