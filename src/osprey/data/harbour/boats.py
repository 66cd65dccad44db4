"""The fleet: each boat's deck, camera, catch and habits, and the painting of its deck."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np

from osprey.data.harbour.paint import Colour, Image, clouds, shade


@dataclass(frozen=True)
class Boat:
    """One boat, which is the ``group`` of every photo taken on it.

    Attributes:
        name: ``boat00`` to ``boat13``.
        split: Where all its photos go: ``train``, ``val`` or ``test``.
        share: Its share of the fleet's photos, relative to the other boats.
        catch: How often each class is landed compared with the fleet, by class; 1 if unnamed.
        deck: Word for the deck, the manifest's ``deck``.
        kind: Which texture painter draws it.
        colour: Deck colour, RGB 0..255.
        tint: Gains of the camera's red, green and blue.
        scale: Smallest and largest fish length as a part of the picture's width.
        angle: Usual direction of the fish in degrees, and how much it strays.
        gear: Things that lie about, by name in ``gear.GEAR``.
        lights: Chances of day, dusk and night.
        noise: Sensor noise, standard deviation in grey levels by day.
        vignette: Darkening of the corners, 0..1.
        blur: Usual defocus, standard deviation in pixels of a 160 pixel wide picture.
        quality: Usual JPEG quality.
        edge: What cuts into the view: ``sea``, ``rail``, ``hatch`` or nothing.
        stamp: Whether the camera burns a clock into the corner.
    """

    name: str
    split: str
    share: float
    catch: dict[str, float]
    deck: str
    kind: str
    colour: Colour
    tint: Colour = (1.0, 1.0, 1.0)
    scale: tuple[float, float] = (0.55, 0.9)
    angle: tuple[float, float] = (0.0, 40.0)
    gear: tuple[str, ...] = ("rope", "bucket")
    lights: tuple[float, float, float] = (0.7, 0.2, 0.1)
    noise: float = 3.0
    vignette: float = 0.25
    blur: float = 0.3
    quality: int = 80
    edge: str = ""
    stamp: bool = False


FLEET: tuple[Boat, ...] = (
    Boat("boat00", "train", 1.5, {"ALB": 2.4, "YFT": 0.1, "SHARK": 0.3, "NoF": 0.7}, "wood",
         "planks", (146, 118, 90), (1.05, 1.0, 0.9), (0.55, 0.86), (8, 13),
         ("rope", "bucket", "boots"), (0.85, 0.15, 0), edge="rail"),
    Boat("boat01", "train", 1.2, {"YFT": 3.4, "ALB": 0.13, "BET": 1.4, "LAG": 0.3}, "steel",
         "diamond", (130, 134, 138), (0.95, 1.0, 1.06), (0.65, 0.98), (-14, 18),
         ("hook", "crate", "glove"), (0.5, 0.3, 0.2), 4.0, 0.35, stamp=True),
    Boat("boat02", "train", 1.1, {"ALB": 1.5, "NoF": 2.3, "YFT": 0.35, "DOL": 0.4}, "green",
         "paint", (70, 105, 88), (0.96, 1.04, 0.96), (0.47, 0.78), (44, 21),
         ("rope", "boots", "crate"), (0.75, 0.25, 0), edge="sea"),
    Boat("boat03", "train", 1.0, {"SHARK": 5.4, "OTHER": 2.0, "ALB": 0.5}, "blue", "paint",
         (69, 93, 125), (0.94, 1.0, 1.08), (0.65, 0.98), (0, 15), ("rope", "hook", "glove"),
         (0.6, 0.2, 0.2), 4.0, 0.3, 0.4, 72),
    Boat("boat04", "train", 1.0, {"ALB": 1.7, "LAG": 1.6, "BET": 3.1, "YFT": 0.3}, "grey", "paint",
         (122, 124, 122), (1.0, 1.0, 1.0), (0.52, 0.91), (-33, 18), ("bucket", "crate", "hose"),
         (0, 0.3, 0.7), 5.0, 0.45, 0.4, 66, stamp=True),
    Boat("boat05", "train", 0.9, {"DOL": 6.8, "YFT": 1.6, "ALB": 0.5, "SHARK": 0.4}, "white",
         "tiles", (205, 205, 200), (1.04, 1.0, 0.95), (0.55, 0.91), (6, 30),
         ("bucket", "hose", "boots"), (0.8, 0.2, 0), 2.5, 0.2),
    Boat("boat06", "train", 0.8, {"LAG": 3.9, "OTHER": 2.5, "ALB": 0.8, "YFT": 0.6}, "red",
         "paint", (126, 73, 66), (1.06, 0.98, 0.94), (0.55, 0.86), (25, 27),
         ("rope", "crate", "hook"), (0.6, 0.4, 0), 3.5, 0.3, 0.3, 75, "hatch"),
    Boat("boat07", "train", 0.9, {"YFT": 2.5, "NoF": 1.6, "ALB": 0.5, "OTHER": 1.2}, "rubber",
         "mat", (55, 56, 57), (1.0, 1.02, 1.0), (0.59, 0.98), (50, 15),
         ("hook", "glove", "bucket"), (0.5, 0.2, 0.3), 4.5, 0.3, edge="rail"),
    Boat("boat08", "val", 0.9, {"ALB": 1.1, "YFT": 1.3, "SHARK": 1.4, "LAG": 1.3}, "wood",
         "planks", (120, 106, 94), (0.95, 1.0, 1.06), (0.52, 0.91), (-16, 24),
         ("rope", "hose", "boots"), (0.6, 0.3, 0.1), 3.5, 0.3, edge="sea"),
    Boat("boat09", "val", 0.8, {"ALB": 1.0, "DOL": 1.6, "BET": 1.3, "NoF": 1.2}, "grey",
         "diamond", (103, 107, 107), (1.04, 1.0, 0.94), (0.59, 0.98), (16, 24),
         ("crate", "bucket", "glove"), (0.5, 0.2, 0.3), 4.5, 0.35, 0.4, 70, stamp=True),
    Boat("boat10", "val", 0.7, {"ALB": 0.9, "YFT": 0.8, "OTHER": 1.5, "SHARK": 1.2}, "blue",
         "tiles", (136, 157, 169), (0.98, 1.02, 1.0), (0.52, 0.86), (0, 30),
         ("bucket", "hook", "rope"), (0.7, 0.3, 0), 3.0, 0.2),
    Boat("boat11", "test", 1.1, {"ALB": 0.9, "YFT": 1.4, "LAG": 1.4, "SHARK": 1.2}, "grey",
         "slats", (137, 135, 128), (1.02, 1.0, 0.96), (0.55, 0.94), (-6, 30),
         ("rope", "crate", "boots"), (0.7, 0.2, 0.1), 3.5, 0.3, edge="rail"),
    Boat("boat12", "test", 1.1, {"ALB": 0.9, "DOL": 1.5, "OTHER": 1.3, "BET": 1.2}, "green",
         "diamond", (91, 116, 102), (0.96, 1.03, 1.02), (0.52, 0.91), (28, 30),
         ("hook", "hose", "glove"), (0.5, 0.3, 0.2), 4.0, 0.35, 0.4, 70, "hatch", True),
    Boat("boat13", "test", 1.0, {"ALB": 1.0, "YFT": 0.9, "SHARK": 1.3, "NoF": 1.2}, "yellow",
         "paint", (165, 148, 103), (1.0, 0.98, 1.0), (0.59, 0.98), (11, 30),
         ("bucket", "rope", "glove"), (0.6, 0.3, 0.1), 3.5, 0.3, 0.3, 75, "sea"),
)  # fmt: skip


def _seams(deck: Image, vertical: bool, every: float, colour: Colour, width: float) -> None:
    size = deck.shape[1] if vertical else deck.shape[0]
    for place in np.arange(every / 2, size, every):
        at = int(place)
        end = (at, deck.shape[0]) if vertical else (deck.shape[1], at)
        cv2.line(deck, (at, 0) if vertical else (0, at), end, colour, max(1, round(width)))


def _planks(deck: Image, rng: np.random.Generator, colour: Colour, unit: float) -> None:
    broad = unit * 0.11
    for i, top in enumerate(np.arange(0.0, deck.shape[0], broad)):
        rows = slice(int(top), int(top + broad))
        deck[rows] = np.clip(np.array(shade(colour, float(rng.uniform(0.82, 1.12)))), 0, 255)
        for cut in np.arange((i % 3) * unit * 0.4, deck.shape[1], unit * 1.2):
            cv2.line(deck, (int(cut), rows.start), (int(cut), rows.stop), shade(colour, 0.4), 1)
    grain = rng.uniform(-1, 1, (deck.shape[0] // 2, 10)).astype(np.float32)
    streaks = cv2.resize(grain, (deck.shape[1], deck.shape[0]), interpolation=cv2.INTER_LINEAR)
    deck[:] = np.clip(deck * (1 + 0.09 * streaks[..., None]), 0, 255)
    _seams(deck, False, broad, shade(colour, 0.36), unit * 0.012)


def _diamond(deck: Image, rng: np.random.Generator, colour: Colour, unit: float) -> None:
    deck[:] = np.array(colour)
    step, half = unit * 0.085, unit * 0.026
    for j, y in enumerate(np.arange(0.0, deck.shape[0], step)):
        for i, x in enumerate(np.arange(0.0, deck.shape[1], step)):
            tilt = half if (i + j) % 2 else -half
            ends = [(int(x - half), int(y - tilt)), (int(x + half), int(y + tilt))]
            cv2.line(deck, (ends[0][0] + 1, ends[0][1] + 1), (ends[1][0] + 1, ends[1][1] + 1),
                     shade(colour, 0.6), max(1, round(unit * 0.012)), cv2.LINE_AA)  # fmt: skip
            cv2.line(deck, ends[0], ends[1], shade(colour, 1.3), max(1, round(unit * 0.01)),
                     cv2.LINE_AA)  # fmt: skip


def _paint(deck: Image, rng: np.random.Generator, colour: Colour, unit: float) -> None:
    deck[:] = np.array(colour)
    height, width = deck.shape[:2]
    worn = clouds(rng, height, width, 22) + clouds(rng, height, width, 70)
    rust = np.array((118.0, 84.0, 62.0)) * 0.6 + np.array(colour) * 0.4
    part = np.clip((worn - 0.75) * 2.2, 0, 0.85)[..., None]
    deck[:] = deck * (1 - part) + rust * part
    _seams(deck, True, unit * 0.9, shade(colour, 0.62), unit * 0.012)


def _tiles(deck: Image, rng: np.random.Generator, colour: Colour, unit: float) -> None:
    deck[:] = np.array(colour)
    for vertical in (True, False):
        _seams(deck, vertical, unit * 0.2, shade(colour, 0.7), unit * 0.014)


def _mat(deck: Image, rng: np.random.Generator, colour: Colour, unit: float) -> None:
    deck[:] = np.array(colour)
    step = unit * 0.1
    for j, y in enumerate(np.arange(0.0, deck.shape[0], step)):
        for x in np.arange((j % 2) * step / 2, deck.shape[1], step):
            centre = (int(x), int(y))
            cv2.circle(deck, centre, round(unit * 0.032), shade(colour, 1.35), -1, cv2.LINE_AA)
            cv2.circle(deck, centre, round(unit * 0.024), shade(colour, 0.55), -1, cv2.LINE_AA)


def _slats(deck: Image, rng: np.random.Generator, colour: Colour, unit: float) -> None:
    deck[:] = np.array(colour)
    _seams(deck, True, unit * 0.12, shade(colour, 0.45), unit * 0.03)
    _seams(deck, False, unit * 0.6, shade(colour, 1.12), unit * 0.03)


_PAINTERS: dict[str, Callable[[Image, np.random.Generator, Colour, float], None]] = {
    "planks": _planks, "diamond": _diamond, "paint": _paint, "tiles": _tiles, "mat": _mat,
    "slats": _slats,
}  # fmt: skip


@lru_cache(maxsize=32)
def _deck(name: str, kind: str, colour: Colour, width: int, height: int) -> Image:
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    deck: Image = np.zeros((height, width, 3), np.uint8)
    _PAINTERS[kind](deck, rng, colour, height / 1.5)
    dirt = clouds(rng, height, width, 9) * 0.1 + clouds(rng, height, width, 60) * 0.04
    deck[:] = np.clip(deck * (1.0 + dirt[..., None]), 0, 255)
    deck.setflags(write=False)
    return deck


def deck_of(boat: Boat, width: int, height: int) -> Image:
    """Return the boat's deck, read-only uint8 ``[H,W,3]``, half again as large as one view."""
    return _deck(boat.name, boat.kind, boat.colour, round(width * 1.5), round(height * 1.5))
