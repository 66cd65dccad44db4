"""The camera: lays the fish down, lights, blurs and noises the picture, and notes the boxes."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from osprey.data.harbour.boats import Boat
from osprey.data.harbour.paint import Colour, Image
from osprey.data.harbour.scene import SUPER, Fish, Scene, plan_scene

Box = tuple[str, float, float, float, float]
Field = NDArray[np.float32]

_GLOW: dict[str, Colour] = {
    "day": (1.0, 1.0, 1.0),
    "dusk": (0.94, 0.8, 0.68),
    "night": (0.74, 0.78, 0.68),
}
_HOURS = {"day": (7, 17), "dusk": (18, 20), "night": (21, 24)}


@dataclass(frozen=True)
class Photo:
    """One rendered photo.

    Attributes:
        image: uint8 ``[H,W,3]``, RGB.
        boxes: One ``(label, x, y, width, height)`` per fish, pixels, from the top left corner.
        attributes: ``length`` (short, medium, long by its part of the picture's width; absent
            where there is no fish), ``deck`` and ``light`` (day, dusk, night).
    """

    image: Image
    boxes: list[Box]
    attributes: dict[str, str]


@dataclass(frozen=True)
class Move:
    """How one near-copy differs from the first photo of its burst.

    Attributes:
        dx: Displacement of the fish, as a part of the picture's width.
        dy: Displacement of the fish, as a part of the picture's height.
        turn: Turn of the fish in degrees.
        shift: Displacement of the deck, as parts of width and height.
        gain: Brightness.
        grain: Seed of the sensor noise, which is never the same twice.
    """

    dx: float = 0.0
    dy: float = 0.0
    turn: float = 0.0
    shift: tuple[float, float] = (0.0, 0.0)
    gain: float = 1.0
    grain: int = 0


def _laid(fish: Fish, move: Move, width: int, height: int) -> Image:
    """Turn a fish into place on a sheet as large as the picture."""
    rows, columns = fish.sprite.shape[:2]
    angle = np.deg2rad(fish.angle + move.turn)
    c, s = float(np.cos(angle)), float(np.sin(angle))
    mirror = -1.0 if fish.flip else 1.0
    turn = np.array([[c * mirror, s * fish.squeeze], [-s * mirror, c * fish.squeeze]])
    centre = np.array([(fish.x + move.dx) * width, (fish.y + move.dy) * height])
    matrix = np.column_stack([turn, centre - turn @ np.array([columns / 2, rows / 2])])
    sheet = cv2.warpAffine(fish.sprite, matrix, (width, height), flags=cv2.INTER_LINEAR)
    return np.asarray(sheet, dtype=np.uint8)


def _over(picture: Image, sheet: Image, shadow: tuple[int, int, float]) -> None:
    """Lay a premultiplied sheet on a picture, in place, with a soft shadow under it."""
    x, y, w, h = cv2.boundingRect(sheet[..., 3])
    if not w or not h:
        return
    dx, dy, depth = shadow
    pad = 2 * max(abs(dx), abs(dy), 4)
    left, top = max(0, x - pad), max(0, y - pad)
    right, low = min(picture.shape[1], x + w + pad), min(picture.shape[0], y + h + pad)
    patch, piece = picture[top:low, left:right], sheet[top:low, left:right]
    shift = np.array([[1.0, 0.0, dx], [0.0, 1.0, dy]])
    dark = cv2.warpAffine(piece[..., 3], shift, (right - left, low - top))
    dark = cv2.blur(dark, (pad + 1, pad + 1)).astype(np.float32)
    keep = (1.0 - dark * (depth / 255.0)) * (1.0 - piece[..., 3] * np.float32(1 / 255.0))
    patch[:] = np.minimum(patch * keep[..., None] + piece[..., :3], 255.0).astype(np.uint8)


def _lit(rng: np.random.Generator, scene: Scene, move: Move, width: int, height: int) -> Field:
    """Return the light on every pixel times the camera's tint, float32 ``[H,W,3]``."""
    x = np.linspace(-1, 1, width, dtype=np.float32)[None]
    y = np.linspace(-1, 1, height, dtype=np.float32)[:, None]
    turn = float(rng.uniform(0, 2 * np.pi))
    ramp = x * np.float32(np.cos(turn)) + y * np.float32(np.sin(turn))
    gain = 1.0 + np.float32(rng.uniform(0.02, 0.16)) * ramp
    if scene.light == "night":
        fx, fy = rng.uniform(-0.5, 0.5, 2).astype(np.float32)
        lamp = np.exp(-((x - fx) ** 2 + (y - fy) ** 2) * np.float32(rng.uniform(0.5, 1.1)))
        gain = gain * (0.45 + 1.0 * lamp)
    elif scene.light == "day" and rng.random() < 0.35:
        shadow = np.clip((ramp - np.float32(rng.uniform(-0.5, 0.6))) * 14.0, 0.0, 1.0)
        gain = gain * (1.0 - np.float32(rng.uniform(0.3, 0.5)) * shadow)
    gain = gain * (1.0 - scene.boat.vignette * 0.5 * (x * x + y * y))
    level = float(rng.normal(1.0, 0.1)) * move.gain
    tint = np.array(_GLOW[scene.light]) * np.array(scene.boat.tint) * rng.normal(1.0, 0.025, 3)
    lit: Field = gain[..., None].astype(np.float32) * (tint * level).astype(np.float32)
    return lit


def _camera(picture: Image, scene: Scene, move: Move, width: int, height: int) -> Image:
    """Average down, light, blur, add noise and burn in the clock."""
    rng = np.random.default_rng(scene.seed)
    reduced = cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)
    small: Field = reduced.astype(np.float32)
    small *= _lit(rng, scene, move, width, height)
    sigma = abs(float(rng.normal(scene.boat.blur, 0.3))) * width / 160
    if sigma > 0.25:
        small = np.asarray(cv2.GaussianBlur(small, (0, 0), sigma), np.float32)
    if rng.random() < 0.14:
        long = max(2, round(width / 160 * rng.uniform(2, 5)))
        along = (long, 1) if rng.random() < 0.5 else (1, long)
        small = np.asarray(cv2.blur(small, along), np.float32)
    grain = np.random.default_rng([scene.seed, move.grain])
    loud = scene.boat.noise * {"day": 1.0, "dusk": 1.3, "night": 2.0}[scene.light]
    small += grain.standard_normal(small.shape, dtype=np.float32) * np.float32(loud)
    picture = np.clip(small, 0.0, 255.0).astype(np.uint8)
    if scene.boat.stamp:
        hour, (minute, second) = rng.integers(*_HOURS[scene.light]), rng.integers(60, size=2)
        clock = f"{hour:02d}:{minute:02d}:{(second + move.grain) % 60:02d}"
        place = (round(width * 0.03), round(height * 0.96))
        cv2.putText(picture, clock, place, cv2.FONT_HERSHEY_PLAIN, width / 240, (235, 235, 225), 1)
    return picture


def shoot(
    scene: Scene, width: int, height: int, move: Move | None = None
) -> tuple[Image, list[Box]]:
    """Photograph a scene.

    Args:
        scene: What is there.
        width: Width of the photo in pixels, the one the scene was planned for.
        height: Height of the photo in pixels.
        move: How the fish and the camera moved since the scene was planned.

    Returns:
        The photo, uint8 ``[H,W,3]`` RGB, and one box per fish that shows, in its pixels.
    """
    move = move or Move()
    wide, high = width * SUPER, height * SUPER
    picture = scene.ground.copy()
    boxes: list[Box] = []
    reach = max(2, round(high * 0.02))
    shift = np.array([[1.0, 0.0, move.shift[0] * wide], [0.0, 1.0, move.shift[1] * high]])
    if any(move.shift):
        picture = np.asarray(
            cv2.warpAffine(picture, shift, (wide, high), borderMode=cv2.BORDER_REPLICATE), np.uint8
        )
    for fish in scene.fish:
        sheet = _laid(fish, move, wide, high)
        _over(picture, sheet, (reach, reach, 0.55))
        x, y, w, h = cv2.boundingRect((sheet[..., 3] > 96).astype(np.uint8))
        if w > SUPER and h > SUPER:
            boxes.append((fish.label, x / SUPER, y / SUPER, w / SUPER, h / SUPER))
    if scene.cover is not None:
        _over(picture, scene.cover, (reach, reach, 0.45))
    return _camera(picture, scene, move, width, height), boxes


def length_word(part: float) -> str:
    """Name a fish's length by its part of the picture's width."""
    return "short" if part < 0.62 else "medium" if part < 0.78 else "long"


def photograph(scene: Scene, width: int, height: int, move: Move | None = None) -> Photo:
    """Shoot a planned scene and describe it; see ``shoot`` for the arguments."""
    image, boxes = shoot(scene, width, height, move)
    length = length_word(scene.fish[-1].part) if scene.fish else "absent"
    return Photo(image, boxes, {"length": length, "deck": scene.boat.deck, "light": scene.light})


def render_photo(
    rng: np.random.Generator,
    boat: Boat,
    label: str,
    *,
    width: int = 160,
    height: int = 120,
    move: Move | None = None,
) -> Photo:
    """Render one photo of ``label`` on ``boat``.

    The same state of ``rng`` with another ``move`` gives a near-copy, as in a burst.

    Args:
        rng: Source of everything the boat and the label leave open.
        boat: One of ``FLEET``, or a boat of your own.
        label: One of ``CLASSES``; ``NoF`` leaves the deck without fish and boxes.
        width: Pixels.
        height: Pixels.
        move: Displacement of fish and camera from where the scene puts them.

    Returns:
        The photo and its boxes.
    """
    return photograph(plan_scene(rng, boat, label, width, height), width, height, move)
