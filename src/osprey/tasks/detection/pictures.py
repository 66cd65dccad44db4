"""Pictures of a tested detector with boxes drawn: the folder ``plots/``."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import asdict
from typing import Any

from osprey.data.manifest import Manifest
from osprey.errors import UnreadableImage
from osprey.imaging import Preprocess, read_image, resized
from osprey.imaging.boxes import Placement
from osprey.imaging.cropping import shown, window
from osprey.imaging.deep import Range
from osprey.imaging.drawing import FOUND_BOX, TRUE_BOX, outlined
from osprey.models.checkpoint import metadata_of, read_checkpoint
from osprey.reports.run_record import read_run
from osprey.runs.folder import RunFolder
from osprey.tasks.detection.report.record import DetectorRun
from osprey.tasks.detection.report.record import read as read_detector
from osprey.tasks.detection.report.worst import Pick, worst
from osprey.tasks.settings import DataSettings
from osprey.tasks.sheets import Pixels, first_batches, write_jpeg, write_mosaic

_WIDTH, _HEIGHT = 320, 240  # pixels of a gallery picture, at most
_TILE, _COLUMNS, _TILES = 224, 4, 12  # the mosaic of training photos


def draw_pictures(run: RunFolder, settings: DataSettings, manifest: Manifest) -> None:
    """Write the mosaic of training photos and the gallery of mistakes to the run folder.

    Args:
        run: The tested run.
        settings: Its training batches.
        manifest: Its samples.
    """
    facts = metadata_of(read_checkpoint(run.best), run.best)
    preprocess = Preprocess.from_dict(facts.preprocess)
    tiles = _training_photos(settings, manifest, preprocess)
    write_mosaic(run, tiles, _TILE, _COLUMNS)

    tested = read_detector(read_run(run.path))
    entries: list[dict[str, Any]] = []
    for number, pick in enumerate(worst(tested)):
        name = f"plots/gallery/{number:03d}.jpg"
        try:
            picture = _picture(tested, pick, manifest, preprocess.value_range)
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
            tiles.append((outlined(small, boxes.numpy() * scale, TRUE_BOX, 2), said))
        if len(tiles) >= _TILES:
            break
    return tiles[:_TILES]


def _picture(run: DetectorRun, pick: Pick, manifest: Manifest, value_range: Range | None) -> Pixels:
    """The photo round the box in question, with all true boxes and all that count."""
    table = run.truth if pick.kind == "miss" else run.found
    width, height = run.sizes[pick.row].tolist()
    box = table.boxes[pick.box]
    left, top, wide, high = window(box, width, height, _WIDTH / _HEIGHT)
    scale = min(_WIDTH / wide, _HEIGHT / high)
    sides = max(1, round(wide * scale)), max(1, round(high * scale))
    least = math.ceil(min(width, height) * scale)
    path = manifest.root / run.paths[pick.row]
    photo = read_image(path, min_side=least, value_range=value_range)
    picture = resized(shown(photo, (left, top, wide, high), width, height), *sides)
    place = Placement(sides[0] / wide, sides[1] / high, -left * scale, -top * scale)
    true = run.truth.boxes[run.truth.photos == pick.row]
    found = run.found.boxes[(run.found.photos == pick.row) & run.matched.kept]
    picture = outlined(picture, place.to_input(true), TRUE_BOX)
    picture = outlined(picture, place.to_input(found), FOUND_BOX)
    colour = TRUE_BOX if pick.kind == "miss" else FOUND_BOX
    return outlined(picture, place.to_input(box[None]), colour, 4)
