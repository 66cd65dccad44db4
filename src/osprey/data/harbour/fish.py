"""The eight classes, and how each fish is drawn on its own transparent sheet."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from osprey.data.harbour.anatomy import ALONG, INK, Rng, head, mottle, tail, tinted, wobble
from osprey.data.harbour.bycatch import billfish, flatfish, snapper, wahoo
from osprey.data.harbour.paint import Colour, Image, Sheet, bowed, gradient, shade, spline

CLASSES: tuple[str, ...] = ("ALB", "BET", "DOL", "LAG", "NoF", "OTHER", "SHARK", "YFT")


@dataclass(frozen=True)
class Tuna:
    """Appearance of a tuna species; lengths in body lengths, colours RGB 0..255."""

    depth: float
    eye: float
    pectoral: float
    sickle: float
    back: Colour
    flank: Colour
    belly: Colour
    fins: Colour
    finlets: Colour


_TUNAS = {
    "ALB": Tuna(0.122, 0.021, 0.37, 0.075, (24, 36, 66), (112, 128, 150), (222, 226, 228),
                (58, 66, 84), (84, 88, 92)),
    "BET": Tuna(0.182, 0.038, 0.22, 0.095, (30, 28, 40), (140, 112, 100), (206, 186, 172),
                (74, 66, 60), (150, 128, 48)),
    "YFT": Tuna(0.132, 0.019, 0.20, 0.215, (22, 40, 76), (186, 164, 84), (220, 218, 204),
                (228, 190, 40), (240, 204, 40)),
}  # fmt: skip


def _tuna(sheet: Sheet, rng: Rng, label: str) -> None:
    kind = _TUNAS[label]
    fade = float(rng.uniform(0.0, 0.45))
    depth, sickle = wobble(rng, kind.depth), wobble(rng, kind.sickle, 0.2)
    back, flank = tinted(rng, kind.back, fade), tinted(rng, kind.flank, fade)
    belly, fins = tinted(rng, kind.belly, fade), tinted(rng, kind.fins, fade)
    finlets = tinted(rng, kind.finlets, fade)
    places = (0.0, 0.04, 0.14, 0.28, 0.42, 0.58, 0.74, 0.86, 0.92)
    shape = spline(places, (0.0, 0.3, 0.68, 0.95, 1.0, 0.86, 0.5, 0.17, 0.09), ALONG)
    tail(sheet, wobble(rng, 0.17), 0.94, shade(back, 1.5))
    sheet.fin((0.32, -depth * 0.9), (0.40, -depth - 0.07), (0.5, -depth * 0.9), shade(back, 1.4))
    sheet.fin((0.53, -depth * 0.82), (0.60 + sickle * 0.55, -depth * 0.8 - sickle),
              (0.61, -depth * 0.75), fins)  # fmt: skip
    sheet.fin((0.56, depth * 0.78), (0.63 + sickle * 0.55, depth * 0.75 + sickle),
              (0.64, depth * 0.68), fins)  # fmt: skip
    x = np.linspace(0.66, 0.87, 7)
    y = np.interp(x, ALONG, shape) * depth
    for side in (-1.0, 1.0):
        small = [(x, side * y * 0.9), (x + 0.03, side * (y + 0.024)), (x + 0.022, side * y * 0.9)]
        corners = np.array(small)  # [corner, xy, finlet]
        sheet.areas([corners[..., i] for i in range(7)], finlets)
    stops = [(0.0, shade(back, 0.8)), (0.22, back), (0.4, flank), (0.56, belly),
             (0.85, shade(belly, 0.93)), (1.0, shade(belly, 0.66))]  # fmt: skip
    sheet.body(ALONG, -shape * depth, shape * depth * 1.04, gradient(stops), mottle(rng))
    sheet.line(bowed((0.84, 0.0), (0.93, 0.0), 0.0), shade(back, 1.2), 0.016)
    head(sheet, (0.085, -0.012, wobble(rng, kind.eye, 0.12)), 0.225, 0.012)
    reach = wobble(rng, kind.pectoral)
    sheet.fin((0.245, 0.0), (0.245 + reach, 0.03 + 0.1 * reach), (0.275, 0.045),
              shade(back, 1.15), 0.09)  # fmt: skip


def _dolphinfish(sheet: Sheet, rng: Rng) -> None:
    fade = float(rng.uniform(0.0, 0.4))
    back, flank = tinted(rng, (20, 112, 118), fade), tinted(rng, (150, 178, 62), fade)
    belly, fin = tinted(rng, (232, 214, 96), fade), tinted(rng, (30, 104, 140), fade)
    brow = wobble(rng, 0.142, 0.14)
    rise = (0.02, 0.62 * brow, 0.93 * brow, brow, 0.92 * brow, 0.07, 0.03, 0.024)
    top = -spline((0, 0.012, 0.05, 0.12, 0.3, 0.6, 0.85, 0.92), rise, ALONG)
    drop = (0.02, 0.05, 0.082, 0.088, 0.06, 0.026, 0.022)
    bottom = spline((0, 0.03, 0.15, 0.35, 0.6, 0.85, 0.92), drop, ALONG)
    tail(sheet, wobble(rng, 0.19), 0.91, tinted(rng, (196, 184, 70), fade))
    x = np.linspace(0.07, 0.85, 40)
    crest = spline((0.07, 0.14, 0.3, 0.6, 0.85), (-0.02, -0.085, -0.095, -0.06, -0.018), x)
    sheet.ribbon(x, np.interp(x, ALONG, top) + 0.01, crest, fin)
    x = np.linspace(0.46, 0.85, 20)
    sheet.ribbon(x, np.interp(x, ALONG, bottom) - 0.01, np.linspace(0.05, 0.02, 20), belly)
    stops = [(0.0, back), (0.2, back), (0.42, flank), (0.7, belly), (1.0, shade(belly, 0.75))]
    sheet.body(ALONG, top, bottom, gradient(stops), mottle(rng))
    at = rng.uniform(0.06, 0.82, 46)
    roof, floor = np.interp(at, ALONG, top), np.interp(at, ALONG, bottom)
    y = roof + (floor - roof) * rng.uniform(0.25, 0.85, 46)
    sheet.spots(at, y, rng.uniform(0.003, 0.007, 46), tinted(rng, (24, 80, 150), fade))
    head(sheet, (0.075, 0.0, 0.017), 0.19, 0.032)
    sheet.fin((0.21, 0.02), (0.32, 0.075), (0.225, 0.055), tinted(rng, (200, 196, 90), fade))


def _moonfish(sheet: Sheet, rng: Rng) -> None:
    fade = float(rng.uniform(0.0, 0.35))
    red = tinted(rng, (206, 42, 34), fade)
    back, flank = tinted(rng, (98, 96, 124), fade), tinted(rng, (226, 150, 106), fade)
    belly = tinted(rng, (222, 112, 86), fade)
    tall = wobble(rng, 0.3)
    places = (0.0, 0.03, 0.12, 0.28, 0.45, 0.62, 0.76, 0.86, 0.92)
    shape = spline(places, (0.02, 0.3, 0.68, 0.95, 1.0, 0.84, 0.46, 0.15, 0.1), ALONG) * tall
    tail(sheet, 0.19, 0.95, red, 0.88)
    sheet.fin((0.3, -tall * 0.93), (0.5, -tall - 0.13), (0.45, -tall * 0.96), red)
    sheet.fin((0.36, tall * 0.93), (0.54, tall + 0.1), (0.48, tall * 0.95), red)
    x = np.linspace(0.44, 0.84, 24)
    for side in (-1.0, 1.0):
        sheet.ribbon(x, side * (np.interp(x, ALONG, shape) - 0.012), np.full(24, side * 0.05), red)
    stops = [(0.0, shade(back, 0.85)), (0.25, back), (0.5, flank), (0.8, belly),
             (1.0, shade(belly, 0.75))]  # fmt: skip
    sheet.body(ALONG, -shape, shape, gradient(stops), mottle(rng))
    at = rng.uniform(0.2, 0.84, 44)
    y = np.interp(at, ALONG, shape) * rng.uniform(-0.85, 0.85, 44)
    sheet.spots(at, y, rng.uniform(0.006, 0.012, 44), (240, 232, 226))
    head(sheet, (0.115, -0.03, 0.034), 0.24, 0.015)
    sheet.fin((0.3, 0.02), (0.5, -0.04), (0.33, 0.07), red)


def _shark(sheet: Sheet, rng: Rng) -> None:
    hues: tuple[Colour, ...] = ((98, 104, 112), (62, 82, 118), (112, 102, 92))
    back = tinted(rng, hues[int(rng.integers(3))])
    pale, thick = tinted(rng, (222, 222, 216)), wobble(rng, 1.25, 0.12)
    places = (0, 0.04, 0.12, 0.3, 0.42, 0.6, 0.78, 0.92)
    upper = (0.004, 0.022, 0.05, 0.078, 0.078, 0.054, 0.026, 0.018)
    lower = (0.004, 0.012, 0.034, 0.052, 0.052, 0.036, 0.02, 0.008)
    top = -spline(places, upper, ALONG) * thick
    bottom = spline(places, lower, ALONG) * thick
    fin, tall = shade(back, 0.86), wobble(rng, 0.13, 0.12)
    sheet.fin((0.86, -0.012), (1.02, -0.2), (0.93, -0.005), fin, 0.04)
    sheet.fin((0.87, 0.008), (0.95, 0.095), (0.925, -0.012), fin, 0.04)
    sheet.fin((0.37, -0.07 * thick), (0.5, -0.07 - tall), (0.5, -0.062 * thick), fin)
    sheet.fin((0.7, -0.035 * thick), (0.76, -0.075), (0.755, -0.028), fin)
    sheet.fin((0.58, 0.034), (0.655, 0.085), (0.64, 0.03), fin)
    sheet.fin((0.73, 0.018), (0.785, 0.055), (0.775, 0.018), fin)
    stops = [(0.0, shade(back, 0.75)), (0.12, back), (0.58, shade(back, 1.12)), (0.7, pale),
             (0.85, pale), (1.0, shade(pale, 0.72))]  # fmt: skip
    sheet.body(ALONG, top, bottom, gradient(stops), mottle(rng, 8))
    for x in np.linspace(0.175, 0.255, 5):
        sheet.line(bowed((x, -0.026), (x - 0.004, 0.022), -0.15), shade(back, 0.6), 0.004)
    sheet.line(bowed((0.05, 0.014), (0.11, 0.03), -0.12), INK, 0.006)
    sheet.dot(0.085, -0.012, 0.009, (14, 14, 16))
    sheet.fin((0.255, 0.03), (0.385, 0.2), (0.325, 0.042), shade(back, 0.8))


_OTHERS = (wahoo, snapper, flatfish, billfish)


def draw_fish(rng: np.random.Generator, label: str, length: float) -> Image:
    """Draw one fish of a class, head to the left and belly down.

    Args:
        rng: Source of the individual's proportions, fading and bend.
        label: One of ``CLASSES`` other than ``NoF``.
        length: Snout to tail tip in pixels.

    Returns:
        uint8 ``[H,W,4]``, red, green, blue and alpha, colours premultiplied by alpha.

    Raises:
        ValueError: There is no fish of that label.
    """
    sheet = Sheet(length, float(rng.uniform(-0.12, 0.12)))
    if label in _TUNAS:
        _tuna(sheet, rng, label)
    elif label == "DOL":
        _dolphinfish(sheet, rng)
    elif label == "LAG":
        _moonfish(sheet, rng)
    elif label == "SHARK":
        _shark(sheet, rng)
    elif label == "OTHER":
        _OTHERS[int(rng.integers(len(_OTHERS)))](sheet, rng)
    else:
        raise ValueError(f"no fish is drawn for the label {label!r}")
    return sheet.rgba
