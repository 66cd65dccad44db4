"""What a photo shows before the camera: a deck, what lies on it, fish, and what hides them."""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np

from osprey.data.harbour.boats import Boat, deck_of
from osprey.data.harbour.fish import draw_fish
from osprey.data.harbour.gear import GEAR, spill
from osprey.data.harbour.paint import Colour, Floats, Image, fill, shade, stroke

SUPER = 2  # everything is drawn this many times larger and averaged down
_SIZE = {"SHARK": 1.18, "YFT": 1.05, "LAG": 0.86, "ALB": 0.96}


@dataclass
class Fish:
    """A drawn fish and where it lies: ``x``, ``y`` as parts of the picture, ``angle`` degrees."""

    label: str
    sprite: Image
    x: float
    y: float
    angle: float
    squeeze: float
    flip: bool
    part: float


@dataclass
class Scene:
    """Everything one photo shows, before the camera: pictures at ``SUPER`` times its size."""

    boat: Boat
    light: str
    ground: Image
    fish: list[Fish] = field(default_factory=list)
    cover: Image | None = None
    seed: int = 0


def _deck(rng: np.random.Generator, boat: Boat, width: int, height: int) -> Image:
    """Cut one view out of the boat's deck, nearly the same place each time: the camera is fixed."""
    deck = deck_of(boat, width, height)
    angle, zoom = float(rng.normal(0, 4)), float(rng.uniform(1.0, 1.25))
    turn: Floats = np.array(
        cv2.getRotationMatrix2D((width * 0.75, height * 0.75), angle, zoom), dtype=np.float64
    )
    turn[:, 2] -= np.array([width, height]) * (0.25 + rng.uniform(-0.14, 0.14, 2))
    view = cv2.warpAffine(deck, turn, (width, height), borderMode=cv2.BORDER_REFLECT)
    return np.asarray(view, dtype=np.uint8)


def _edge(view: Image, rng: np.random.Generator, boat: Boat) -> None:
    """Draw what cuts into this boat's view, at the place its camera always sees it."""
    height, width = view.shape[:2]
    steel: Colour = (178, 182, 182)
    if boat.edge == "sea":
        line = height * (0.13 + rng.uniform(-0.03, 0.03))
        tilt = height * rng.uniform(-0.03, 0.03)
        over = [[0, 0], [width, 0], [width, line + tilt], [0, line - tilt]]
        fill(view, np.array(over, float), (38, 74, 96))
        for _ in range(9):
            x, y = rng.uniform(0, width), rng.uniform(0, line * 0.8)
            crest = np.array([[x, y], [x + width * 0.08, y + 1]])
            stroke(view, crest, (120, 156, 170), height * 0.008)
        lip = np.array([[0, line - tilt], [width, line + tilt]])
        stroke(view, lip + height * 0.02, shade(boat.colour, 0.45), height * 0.04)
        stroke(view, lip, (214, 212, 202), height * 0.035)
    elif boat.edge == "rail":
        x = width * (0.07 + rng.uniform(-0.03, 0.03))
        pipe = np.array([[x, 0.0], [x + width * 0.03, height]])
        for offset, tone, wide in ((0.02, 0.22, 0.05), (0, 0.7, 0.045), (-0.005, 1.1, 0.016)):
            stroke(view, pipe + np.array([width * offset, 0]), shade(steel, tone), height * wide)
    elif boat.edge == "hatch":
        x, y = width * (0.8 + rng.uniform(-0.03, 0.03)), height * (0.76 + rng.uniform(-0.03, 0.03))
        for grow, colour in ((0.0, shade(boat.colour, 1.25)), (0.03, (26, 26, 30))):
            left, top = x + width * grow, y + width * grow
            corner = [[left, top], [width, top], [width, height], [left, height]]
            fill(view, np.array(corner, float), colour)


def _ground(rng: np.random.Generator, boat: Boat, label: str, width: int, height: int) -> Image:
    view = _deck(rng, boat, width, height)
    for _ in range(int(rng.integers(0, 3))):
        at = (float(rng.uniform(0, width)), float(rng.uniform(0, height)))
        spill(view, rng, at, height, (28, 30, 34), 0.28)
    for _ in range(int(rng.integers(0, 4))):
        at = (float(rng.uniform(0, width)), float(rng.uniform(0, height)))
        spill(view, rng, at, height * 0.7, (116, 20, 22), float(rng.uniform(0.15, 0.4)))
    _edge(view, rng, boat)
    for _ in range(int(rng.integers(0, 3)) + (label == "NoF")):
        # Gear keeps to the rim, where the crew kicks it out of the way of the fish.
        side, along = int(rng.integers(4)), float(rng.uniform(0.05, 0.95))
        depth = float(rng.uniform(0.02, 0.2 if label != "NoF" else 0.45))
        x, y = ((depth, along), (1 - depth, along), (along, depth), (along, 1 - depth))[side]
        kind = str(rng.choice(boat.gear))
        if kind != "glove" or label == "NoF":
            GEAR[kind](view, rng, (x * width, y * height), float(height))
    return view


def _fish(rng: np.random.Generator, boat: Boat, label: str, width: int, near: float) -> Fish:
    part = float(rng.uniform(*boat.scale)) * _SIZE.get(label, 1.0) * near
    angle = float(rng.normal(*boat.angle))
    return Fish(
        label=label,
        sprite=draw_fish(rng, label, part * width),
        x=float(np.clip(rng.normal(0.5, 0.12), 0.2, 0.8)),
        y=float(np.clip(rng.normal(0.52, 0.12), 0.22, 0.8)),
        angle=angle,
        squeeze=float(rng.uniform(0.72, 1.0)),
        flip=bool(rng.random() < 0.5),
        part=part,
    )


def _cover(rng: np.random.Generator, fish: Fish, width: int, height: int) -> Image | None:
    """Draw what lies over the fish, on a sheet of its own; often nothing does."""
    kind = str(rng.choice(["", "rope", "glove", "crate", "hook"], p=[0.62, 0.12, 0.14, 0.06, 0.06]))
    if not kind:
        return None
    sheet: Image = np.zeros((height, width, 4), np.uint8)
    along = float(rng.choice([-0.42, -0.2, 0.25, 0.42])) * fish.part * width
    turn = np.deg2rad(fish.angle)
    x = fish.x * width + along * np.cos(turn)
    y = fish.y * height - along * np.sin(turn)
    if kind == "crate":
        x, y = x + (x - fish.x * width) * 0.5, y + height * float(rng.choice([-0.22, 0.22]))
    GEAR[kind](sheet, rng, (float(x), float(y)), float(height))
    return sheet


def plan_scene(rng: np.random.Generator, boat: Boat, label: str, width: int, height: int) -> Scene:
    """Decide and draw everything a photo of ``label`` on ``boat`` shows, except camera effects.

    Args:
        rng: Source of all random choices.
        boat: The boat.
        label: One of ``CLASSES``; ``NoF`` for a deck without fish.
        width: Of the photo in pixels.
        height: Of the photo in pixels.

    Returns:
        The scene, at ``SUPER`` times that size.
    """
    wide, high = width * SUPER, height * SUPER
    light = str(rng.choice(["day", "dusk", "night"], p=boat.lights))
    scene = Scene(boat, light, _ground(rng, boat, label, wide, high))
    scene.seed = int(rng.integers(2**31))
    if label != "NoF":
        if rng.random() < 0.12:
            scene.fish.append(_fish(rng, boat, label, wide, 0.8))
            scene.fish[0].y = float(np.clip(scene.fish[0].y + rng.choice([-0.3, 0.3]), 0.1, 0.9))
        scene.fish.append(_fish(rng, boat, label, wide, 1.0))
        scene.cover = _cover(rng, scene.fish[-1], wide, high)
    return scene
