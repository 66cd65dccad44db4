"""The class OTHER: four quite different fish, so that it has no look of its own."""

from __future__ import annotations

import numpy as np

from osprey.data.harbour.anatomy import ALONG, INK, Rng, head, mottle, tail, tinted, wobble
from osprey.data.harbour.paint import Sheet, bowed, gradient, shade, spline


def wahoo(sheet: Sheet, rng: Rng) -> None:
    """Draw a wahoo: a long silver fish with dark bars."""
    back, belly = tinted(rng, (38, 70, 92)), tinted(rng, (206, 212, 212))
    places = (0, 0.1, 0.22, 0.45, 0.7, 0.86, 0.92)
    shape = spline(places, (0.004, 0.03, 0.058, 0.07, 0.05, 0.02, 0.014), ALONG)
    shape *= wobble(rng, 1.0)
    tail(sheet, 0.12, 0.94, shade(back, 0.9))
    x = np.linspace(0.28, 0.6, 20)
    sheet.ribbon(x, -np.interp(x, ALONG, shape) + 0.01, np.full(20, -0.05), shade(back, 1.1))
    sheet.fin((0.64, 0.05), (0.74, 0.1), (0.72, 0.045), shade(back, 1.1))
    stops = [(0.0, back), (0.3, shade(back, 1.25)), (0.5, belly), (1.0, shade(belly, 0.7))]
    sheet.body(ALONG, -shape, shape, gradient(stops), mottle(rng))
    for at in np.linspace(0.24, 0.84, 15):
        half = float(np.interp(at, ALONG, shape))
        bar = bowed((at, -half * 0.9), (at - 0.01, half * 0.45), 0.1)
        sheet.line(bar, shade(back, 0.62), 0.012)
    head(sheet, (0.12, -0.01, 0.014), 0.22, 0.004)


def snapper(sheet: Sheet, rng: Rng) -> None:
    """Draw a red snapper: high back, spiny fin."""
    red, belly = tinted(rng, (202, 74, 66)), tinted(rng, (236, 182, 168))
    places = (0.0, 0.05, 0.14, 0.28, 0.45, 0.65, 0.82, 0.92)
    top = -spline(places, (0.02, 0.09, 0.155, 0.185, 0.165, 0.1, 0.05, 0.045), ALONG)
    bottom = spline(places, (0.02, 0.06, 0.1, 0.13, 0.13, 0.09, 0.045, 0.045), ALONG)
    tail(sheet, 0.14, 0.96, red, 0.89)
    x = np.linspace(0.26, 0.8, 25)
    rise = -0.05 - 0.018 * (np.arange(25) % 3 == 0)
    sheet.ribbon(x, np.interp(x, ALONG, top) + 0.01, rise, shade(red, 0.9))
    sheet.fin((0.6, 0.09), (0.72, 0.16), (0.76, 0.06), shade(red, 0.9))
    stops = [(0.0, shade(red, 0.85)), (0.35, red), (0.75, belly), (1.0, shade(belly, 0.75))]
    sheet.body(ALONG, top, bottom, gradient(stops), mottle(rng))
    head(sheet, (0.13, -0.05, 0.026), 0.25, 0.03)
    sheet.fin((0.27, 0.02), (0.42, 0.06), (0.28, 0.07), shade(red, 1.1))


def flatfish(sheet: Sheet, rng: Rng) -> None:
    """Draw a flatfish: a mottled brown oval with both eyes on top."""
    skin = tinted(rng, (128, 104, 74))
    places = (0, 0.05, 0.2, 0.4, 0.6, 0.8, 0.87, 0.92)
    shape = spline(places, (0.01, 0.09, 0.18, 0.21, 0.17, 0.06, 0.035, 0.035), ALONG)
    shape *= wobble(rng, 1.0)
    fan = np.array([[0.9, -0.03], [1.0, -0.1], [1.02, 0.0], [1.0, 0.1], [0.9, 0.03]])
    sheet.area(fan, shade(skin, 0.8))
    x = np.linspace(0.08, 0.84, 40)
    for side in (-1.0, 1.0):
        rise = side * spline((0.08, 0.45, 0.84), (0.015, 0.075, 0.015), x)
        sheet.ribbon(x, side * (np.interp(x, ALONG, shape) - 0.01), rise, shade(skin, 0.8))
    stops = [(0.0, shade(skin, 0.75)), (0.4, skin), (0.6, skin), (1.0, shade(skin, 0.75))]
    sheet.body(ALONG, -shape, shape, gradient(stops), mottle(rng, 34))
    for tone in (0.6, 1.5):
        at = rng.uniform(0.2, 0.78, 9)
        y = np.interp(at, ALONG, shape) * rng.uniform(-0.8, 0.8, 9)
        sheet.spots(at, y, rng.uniform(0.008, 0.02, 9), shade(skin, tone))
    sheet.line(bowed((0.18, 0.0), (0.88, 0.0), 0.02), shade(skin, 0.6), 0.005)
    for eye in (-0.045, 0.02):
        sheet.dot(0.085, eye, 0.02, (190, 170, 110))
        sheet.dot(0.085, eye, 0.011, INK)


def billfish(sheet: Sheet, rng: Rng) -> None:
    """Draw a billfish: sword in front, sail on its back."""
    back, belly = tinted(rng, (26, 42, 84)), tinted(rng, (196, 200, 204))
    x = np.linspace(0.22, 0.92, 40)
    places = (0.22, 0.27, 0.38, 0.52, 0.7, 0.86, 0.92)
    shape = spline(places, (0.01, 0.04, 0.08, 0.085, 0.05, 0.02, 0.012), x) * wobble(rng, 1.0)
    tail(sheet, 0.18, 0.93, back)
    rise = spline((0.34, 0.37, 0.45, 0.6, 0.72), (-0.06, -0.16, -0.1, -0.06, -0.03), x)
    some = (x > 0.34) & (x < 0.72)
    sheet.ribbon(x[some], -shape[some] + 0.01, rise[some], shade(back, 1.3))
    sheet.fin((0.66, 0.05), (0.72, 0.11), (0.71, 0.045), back)
    sheet.area(np.array([[0.0, -0.012], [0.25, -0.028], [0.25, 0.006]]), shade(back, 0.9))
    stops = [(0.0, back), (0.42, shade(back, 1.4)), (0.55, belly), (1.0, shade(belly, 0.7))]
    sheet.body(x, -shape, shape, gradient(stops), mottle(rng))
    sheet.line(bowed((0.235, 0.008), (0.3, 0.018), 0.1), INK, 0.006)
    sheet.dot(0.3, -0.012, 0.013, (12, 12, 16))
    sheet.fin((0.38, 0.03), (0.5, 0.12), (0.41, 0.05), back)
