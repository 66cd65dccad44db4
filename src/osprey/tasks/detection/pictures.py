"""Pictures of a tested detector with boxes drawn: the folder ``plots/``."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import asdict
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from osprey.data.manifest import Manifest
from osprey.errors import UnreadableImage
from osprey.imaging import Preprocess, read_image, resized
from osprey.imaging.boxes import Boxes, Placement
from osprey.models.checkpoint import metadata_of, read_checkpoint
from osprey.reports.run_record import read_run
from osprey.runs.folder import RunFolder
from osprey.tasks.detection.report.record import DetectorRun
from osprey.tasks.detection.report.record import read as read_detector
from osprey.tasks.detection.report.worst import Pick, worst
from osprey.tasks.settings import DataSettings
from osprey.tasks.sheets import Pixels, first_batches, write_jpeg, write_mosaic

_WIDTH, _HEIGHT = 320, 240  # pixels of a gallery picture, at most
_ROUND = 3  # a picture shows so many times the box's own sides
_LEAST = 0.3  # and at least so much of the photo's width
_TILE, _COLUMNS, _TILES = 224, 4, 12  # the mosaic of training photos

# Told apart by colour-blind eyes and on most photos; the report's legend names them.
_TRUE, _FOUND, _EDGE = (53, 208, 192), (255, 154, 46), (20, 24, 28)


def draw_pictures(run: RunFolder, settings: DataSettings, manifest: Manifest) -> None:
    """Write the mosaic of training photos and the gallery of mistakes to the run folder.

    Args:
        run: The tested run.
        settings: Its training batches.
        manifest: Its samples.
    """
    facts = metadata_of(read_checkpoint(run.best), run.best)
    tiles = _training_photos(settings, manifest, Preprocess.from_dict(facts.preprocess))
    write_mosaic(run, tiles, _TILE, _COLUMNS)

    tested = read_detector(read_run(run.path))
    entries: list[dict[str, Any]] = []
    for number, pick in enumerate(worst(tested)):
        name = f"plots/gallery/{number:03d}.jpg"
        try:
            picture = _picture(tested, pick, manifest)
        except UnreadableImage:  # a file that has gone meanwhile
            continue
        write_jpeg(run, name, picture)
        label = tested.classes[pick.label]
        words = {"label": label, "path": tested.paths[pick.row], "picture": name}
        entries.append({**asdict(pick), "class_id": pick.label, **words})
    run.write_json("plots/gallery.json", {"split": tested.split, "photos": entries})


def _training_photos(
    settings: DataSettings, manifest: Manifest, preprocess: Preprocess
) -> list[tuple[Pixels, str]]:
    """The first photos of the first epoch, their boxes drawn, and how many of each class."""
    classes = manifest.classes
    tiles: list[tuple[Pixels, str]] = []
    for batch in first_batches(settings, manifest, preprocess):
        for photo, boxes, labels in zip(
            batch["image"].numpy(), batch["boxes"], batch["labels"], strict=True
        ):
            scale = _TILE / photo.shape[0]
            small = resized(photo, _TILE, _TILE)
            found = Counter(classes[int(i)] for i in labels)
            said = ", ".join(f"{n} {name}" for name, n in found.most_common()) or "nothing"
            tiles.append((outlined(small, boxes.numpy() * scale, _TRUE, 2), said))
        if len(tiles) >= _TILES:
            break
    return tiles[:_TILES]


def _picture(run: DetectorRun, pick: Pick, manifest: Manifest) -> Pixels:
    """The photo round the box in question, with all true boxes and all that count."""
    table = run.truth if pick.kind == "miss" else run.found
    width, height = run.sizes[pick.row].tolist()
    box = table.boxes[pick.box]
    left, top, wide, high = window(box, width, height)
    scale = min(_WIDTH / wide, _HEIGHT / high)
    sides = max(1, round(wide * scale)), max(1, round(high * scale))
    least = math.ceil(min(width, height) * scale)
    photo = read_image(manifest.root / run.paths[pick.row], min_side=least)
    down, across = photo.shape[0] / height, photo.shape[1] / width  # decoded smaller
    rows = slice(int(top * down), max(int(top * down) + 1, round((top + high) * down)))
    columns = slice(int(left * across), max(int(left * across) + 1, round((left + wide) * across)))
    picture = resized(photo[rows, columns], *sides)
    place = Placement(sides[0] / wide, sides[1] / high, -left * scale, -top * scale)
    true = run.truth.boxes[run.truth.photos == pick.row]
    found = run.found.boxes[(run.found.photos == pick.row) & run.matched.kept]
    picture = outlined(picture, place.to_input(true), _TRUE)
    picture = outlined(picture, place.to_input(found), _FOUND)
    colour = _TRUE if pick.kind == "miss" else _FOUND
    return outlined(picture, place.to_input(box[None]), colour, 4)


def window(box: Boxes, width: float, height: float) -> tuple[float, float, float, float]:
    """The part of a photo to show around a box.

    Args:
        box: float32 [4], corners in pixels.
        width: Of the photo in pixels.
        height: Of the photo in pixels.

    Returns:
        x, y, width, height in pixels, inside the photo.
    """
    x, y, x2, y2 = (float(v) for v in box)
    wanted = max(_ROUND * (x2 - x), _ROUND * (y2 - y) * _WIDTH / _HEIGHT, _LEAST * width)
    wide, high = min(width, wanted), min(height, wanted * _HEIGHT / _WIDTH)
    left = min(max(0.0, (x + x2 - wide) / 2), width - wide)
    top = min(max(0.0, (y + y2 - high) / 2), height - high)
    return left, top, wide, high


def outlined(photo: Pixels, boxes: Boxes, colour: tuple[int, int, int], thick: int = 1) -> Pixels:
    """Draw boxes on a copy of a photo, each with a dark edge for contrast.

    Args:
        photo: uint8 [H, W, 3], RGB.
        boxes: float32 [N, 4], corners in its pixels.
        colour: RGB, 0 to 255.
        thick: Line width in pixels.

    Returns:
        uint8 [H, W, 3].
    """
    sheet = Image.fromarray(photo)
    draw = ImageDraw.Draw(sheet)
    for box in boxes:
        x, y, x2, y2 = (round(float(v)) for v in box)
        x2, y2 = max(x, x2 - 1), max(y, y2 - 1)  # the last pixel inside
        edge = 1 if thick == 1 else thick + 2  # round thin boxes, on both sides of thick ones
        draw.rectangle((x - 1, y - 1, x2 + 1, y2 + 1), outline=_EDGE, width=edge)
        draw.rectangle((x, y, x2, y2), outline=colour, width=thick)
    return np.asarray(sheet)
