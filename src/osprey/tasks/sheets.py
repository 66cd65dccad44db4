"""Shared by the pictures of every task: the first training batches, a mosaic, a file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from osprey.data.manifest import Manifest
from osprey.imaging import Preprocess, resized
from osprey.runs.folder import RunFolder
from osprey.system.files import write_bytes
from osprey.tasks.loading import make_data
from osprey.tasks.settings import DataSettings

_STRIP = 18  # pixels of a tile's label

Pixels = NDArray[np.uint8]


def first_batches(
    settings: DataSettings, manifest: Manifest, preprocess: Preprocess
) -> Iterator[dict[str, Any]]:
    """Training batches of the first epoch, augmented.

    Args:
        settings: Batches and augmentation.
        manifest: The samples.
        preprocess: How a photo becomes model input outside training.

    Yields:
        The batches, images uint8 [B, S, S, 3].
    """
    # One or two batches do not need a cache or workers.
    few = replace(settings, data=replace(settings.data, num_workers=0, cache="none"))
    yield from make_data(few, manifest, preprocess).train_dataloader()


def write_mosaic(
    run: RunFolder, tiles: Sequence[tuple[Pixels, str]], side: int, columns: int
) -> None:
    """Write batch.jpg, tiles in rows with a label below each; and its layout as batch.json.

    Args:
        run: The run.
        tiles: Photos uint8 [H, W, 3] and their labels.
        side: Side of a tile in pixels.
        columns: Tiles per row.
    """
    rows = -(-len(tiles) // columns)
    sheet = Image.new("RGB", (columns * side, rows * (side + _STRIP)), "white")
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(13)
    letters = side // 7
    for number, (photo, label) in enumerate(tiles):
        x, y = number % columns * side, number // columns * (side + _STRIP)
        sheet.paste(Image.fromarray(resized(photo, side, side)), (x, y))
        long = len(label) > letters
        shown = f"{label[: letters - 1]}\N{HORIZONTAL ELLIPSIS}" if long else label
        draw.text((x + 3, y + side + 1), shown.replace("\n", " "), "black", font)
    write_jpeg(run, "plots/batch.jpg", np.asarray(sheet))
    layout = {"columns": columns, "tile": side, "strip": _STRIP}
    run.write_json("plots/batch.json", {**layout, "labels": [label for _, label in tiles]})


def write_jpeg(run: RunFolder, name: str, pixels: Pixels) -> None:
    """Write a picture to the run folder, atomically.

    Args:
        run: The run.
        name: Path in the run folder.
        pixels: uint8 [H, W, 3], RGB.
    """
    encoded = BytesIO()
    Image.fromarray(pixels).save(encoded, "JPEG", quality=82)
    target = run.path / name
    target.parent.mkdir(parents=True, exist_ok=True)
    write_bytes(target, encoded.getvalue())
