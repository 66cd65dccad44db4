"""Harbour: drawn fish on drawn boat decks, a data set that needs no download."""

from __future__ import annotations

from osprey.data.harbour.boats import FLEET, Boat
from osprey.data.harbour.camera import Move, Photo, render_photo
from osprey.data.harbour.clips import Clip, render_clip
from osprey.data.harbour.fish import CLASSES, draw_fish
from osprey.data.harbour.generate import RENDERER_VERSION, render_harbour

__all__ = [
    "CLASSES",
    "FLEET",
    "RENDERER_VERSION",
    "Boat",
    "Clip",
    "Move",
    "Photo",
    "draw_fish",
    "render_clip",
    "render_harbour",
    "render_photo",
]
