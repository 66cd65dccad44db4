"""Short clips from the same renderer: one deck, one fish that comes, lies there and may go."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from osprey.data.harbour.boats import FLEET
from osprey.data.harbour.camera import Box, Move, shoot
from osprey.data.harbour.fish import CLASSES
from osprey.data.harbour.paint import Image
from osprey.data.harbour.scene import Scene, plan_scene


@dataclass(frozen=True)
class Clip:
    """One rendered clip of ``T`` frames.

    Attributes:
        frames: uint8 ``[T,H,W,3]``, RGB.
        labels: ``T`` class names; ``NoF`` where no fish shows in that frame.
        boxes: ``T`` lists of ``(label, x, y, width, height)`` in pixels; empty with ``NoF``.
        label: The class the clip is about; ``NoF`` if no frame shows a fish.
        group: Name of the boat.
    """

    frames: Image
    labels: tuple[str, ...]
    boxes: tuple[list[Box], ...]
    label: str
    group: str


def _path(rng: np.random.Generator, frames: int) -> tuple[np.ndarray, np.ndarray]:
    """Return each frame's place, float ``[T,2]`` in picture sizes, and turn, ``[T]`` degrees.

    The fish is carried in from one side; then it is either laid down or carried out again.
    """
    side = float(rng.choice([-1.0, 1.0]))
    t = np.linspace(0.0, 1.0, frames)
    begin, end = float(rng.uniform(0.0, 0.2)), float(rng.uniform(0.45, 0.6))
    way = np.clip((t - begin) / (end - begin), 0.0, 1.0)
    x = side * -1.15 * (1.0 - way * way * (3 - 2 * way))
    if rng.random() < 0.5:
        out = np.clip((t - 0.75) / 0.25, 0.0, 1.0)
        x = x + side * 1.15 * out * out
    moving = np.abs(np.gradient(x)) > 1e-3 if frames > 1 else np.zeros(frames, bool)
    sway = np.sin(t * 20.0 + rng.uniform(0, 6)) * moving
    place = np.stack([x, 0.04 * sway], axis=1)
    return place, sway * 6.0


def render_clip(seed: int, *, frames: int = 16, width: int = 160, height: int = 120) -> Clip:
    """Render one clip; the same arguments give the same pixels.

    Args:
        seed: Picks boat, class, fish and path.
        frames: Length ``T``, at least 1.
        width: Pixels.
        height: Pixels.

    Returns:
        The clip.
    """
    rng = np.random.default_rng([seed, 0xC11B])
    boat = FLEET[int(rng.integers(len(FLEET)))]
    label = CLASSES[int(rng.integers(len(CLASSES)))]
    scene = plan_scene(rng, boat, label, width, height)
    scene = replace(scene, fish=scene.fish[-1:], cover=None)
    empty: Scene = replace(scene, fish=[])
    places, turns = _path(rng, frames)
    pictures: list[Image] = []
    boxes: list[list[Box]] = []
    for i in range(frames):
        dx, dy = (float(v) for v in places[i])
        move = Move(dx, dy, float(turns[i]), grain=i)
        image, found = shoot(scene if abs(dx) < 1.14 else empty, width, height, move)
        pictures.append(image)
        boxes.append(found)
    labels = tuple(label if found else "NoF" for found in boxes)
    whole = label if any(boxes) else "NoF"
    return Clip(np.stack(pictures), labels, tuple(boxes), whole, boat.name)
