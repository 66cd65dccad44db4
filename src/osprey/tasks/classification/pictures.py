"""Pictures of a finished run that need its photos or its network: the folder ``plots/``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from osprey.data.manifest import Manifest
from osprey.errors import UnreadableImage
from osprey.imaging import Preprocess, fitted, read_image
from osprey.models.checkpoint import load_model
from osprey.runs.folder import RunFolder
from osprey.tasks.classification.gradcam import grad_cam
from osprey.tasks.classification.mistakes import Pick, pick
from osprey.tasks.settings import DataSettings
from osprey.tasks.sheets import Pixels, first_batches, write_jpeg, write_mosaic

_SIDE = 200  # pixels of a gallery picture's long side
_TILE, _COLUMNS, _TILES = 128, 6, 24  # the mosaic of training photos
_AT_ONCE = 8  # photos that go through the network together


def draw_pictures(
    run: RunFolder, settings: DataSettings, manifest: Manifest, rewrites: Sequence[str]
) -> None:
    """Write the mosaic of training photos and the gallery of mistakes to the run folder.

    Args:
        run: The tested run.
        settings: Its training batches.
        manifest: Its samples.
        rewrites: ``trainer.rewrites``.
    """
    model, metadata = load_model(run.best, rewrites)
    preprocess = Preprocess.from_dict(metadata.preprocess)
    tiles = _training_photos(settings, manifest, preprocess)
    write_mosaic(run, tiles, _TILE, _COLUMNS)

    split = "test" if (run.path / "predictions.csv").is_file() else "val"
    table = run.path / ("predictions.csv" if split == "test" else "predictions_val.csv")
    model.eval().requires_grad_(False)
    chosen = _readable(pick(table, metadata.classes), manifest, preprocess)
    entries: list[dict[str, Any]] = []
    for start in range(0, len(chosen), _AT_ONCE):
        part = chosen[start : start + _AT_ONCE]
        answers = [metadata.classes.index(item.predicted) for item, _ in part]
        overlays = _overlays(model, preprocess, [photo for _, photo in part], answers)
        for number, ((item, photo), overlay) in enumerate(zip(part, overlays, strict=True), start):
            entries.append({**item.to_dict(), **_write_pair(run, number, photo, overlay)})
    run.write_json("plots/gallery.json", {"split": split, "photos": entries})


def _training_photos(
    settings: DataSettings, manifest: Manifest, preprocess: Preprocess
) -> list[tuple[Pixels, str]]:
    """The first photos of the first epoch with their labels."""
    tiles: list[tuple[Pixels, str]] = []
    for batch in first_batches(settings, manifest, preprocess):
        labels = [manifest.classes[int(t)] for t in batch["target"]]
        tiles += zip(batch["image"].numpy(), labels, strict=True)
        if len(tiles) >= _TILES:
            break
    return tiles[:_TILES]


def _readable(
    picks: Sequence[Pick], manifest: Manifest, preprocess: Preprocess
) -> list[tuple[Pick, Pixels]]:
    """The picks with their photos; a file that has gone meanwhile is left out."""
    side = max(_SIDE, preprocess.decode_side)
    found = []
    for item in picks:
        try:
            path, ends = manifest.root / item.path, preprocess.value_range
            photo = read_image(path, min_side=side, value_range=ends)
            found.append((item, photo))
        except UnreadableImage:
            continue
    return found


def _overlays(
    model: nn.Module, preprocess: Preprocess, photos: Sequence[Pixels], answers: Sequence[int]
) -> list[Pixels | None]:
    """Each photo with its Grad-CAM as a heat map; None without feature maps."""
    inputs = np.stack([preprocess(photo) for photo in photos])
    cams = grad_cam(
        model, torch.from_numpy(preprocess.normalise(inputs)), torch.tensor(list(answers))
    )
    if cams is None:
        return [None] * len(photos)
    # Only squash keeps the whole photo; otherwise the map is drawn on the network's input.
    whole = preprocess.resize == "squash"
    return [
        _blend(fitted(photo if whole else seen, _SIDE), cam)
        for photo, seen, cam in zip(photos, inputs, cams, strict=True)
    ]


def _blend(photo: Pixels, cam: NDArray[np.float32]) -> Pixels:
    """The map over the photo in grey, in a palette whose order colour-blind readers can see."""
    height, width = photo.shape[:2]
    grey = cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY)[..., None]
    smooth = np.clip(cv2.resize(cam, (width, height), interpolation=cv2.INTER_CUBIC), 0, 1)
    colours = cv2.applyColorMap((255 * smooth).astype(np.uint8), cv2.COLORMAP_INFERNO)[..., ::-1]
    strength = 0.15 + 0.5 * smooth[..., None]
    mixed: Pixels = np.rint(grey * (1 - strength) + colours * strength).astype(np.uint8)
    return mixed


def _write_pair(
    run: RunFolder, number: int, photo: Pixels, overlay: Pixels | None
) -> dict[str, str | None]:
    picture, cam = f"plots/gallery/{number:03d}.jpg", f"plots/gallery/{number:03d}_cam.jpg"
    write_jpeg(run, picture, fitted(photo, _SIDE))
    if overlay is not None:
        write_jpeg(run, cam, overlay)
    return {"picture": picture, "cam": None if overlay is None else cam}
