"""One look at every photo: can it be read, how does it look, when was it taken."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import cv2
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from osprey.doctor.capture import Capture, capture_of
from osprey.errors import UnreadableImage
from osprey.imaging import decode
from osprey.imaging.decode import read_file
from osprey.imaging.deep import Range
from osprey.imaging.formats import HEAD, container_kind
from osprey.imaging.size import size_of
from osprey.reports.photo_map import TILE
from osprey.system.console import columns_of
from osprey.system.memory import cores

THUMB = 32  # pixels of a thumbnail's side
_SIDE = 192  # a JPEG is decoded to about this short side: sharpness is judged there
_PIECE = 32  # photos a thread takes at once
_SHARES = 1 / 1000  # of the pixels: a colour of fewer is noise


@dataclass
class Looks:
    """What one look at N photos found; zeros where a photo cannot be read.

    Attributes:
        reasons: Why each photo cannot be read; empty where it can.
        sizes: int32 [N, 2], width and height in pixels, EXIF orientation applied.
        bytes: int64 [N], of the files.
        kinds: What each file is by its first bytes, such as ``JPEG``; empty where unknown.
        digests: uint8 [N, 32], SHA-256 of each file's bytes.
        thumbs: uint8 [N, 32, 32], grey, squashed.
        brightness: float32 [N], mean grey level, 0 to 255.
        contrast: float32 [N], standard deviation of the grey levels.
        sharpness: float32 [N], standard deviation of the Laplacian over that of the grey levels.
        colours: int32 [N], colours of 4,096 that cover a thousandth of the photo or more.
        flat: float32 [N], share of the commonest of them.
        captures: When, and with which camera, as EXIF has it.
        tiles: uint8 [M, 48, 48, 3] of the rows that were asked for.
    """

    reasons: list[str]
    sizes: NDArray[np.int32]
    bytes: NDArray[np.int64]
    kinds: list[str]
    digests: NDArray[np.uint8]
    thumbs: NDArray[np.uint8]
    brightness: NDArray[np.float32]
    contrast: NDArray[np.float32]
    sharpness: NDArray[np.float32]
    colours: NDArray[np.int32]
    flat: NDArray[np.float32]
    captures: list[Capture]
    tiles: NDArray[np.uint8]

    @classmethod
    def empty(cls, count: int, tiles: int) -> Looks:
        """Room for ``count`` photos, ``tiles`` of them with a picture for the map."""
        real = [np.zeros(count, dtype=np.float32) for _ in range(4)]
        return cls(
            reasons=[""] * count,
            sizes=np.zeros((count, 2), dtype=np.int32),
            bytes=np.zeros(count, dtype=np.int64),
            kinds=[""] * count,
            digests=np.zeros((count, 32), dtype=np.uint8),
            thumbs=np.zeros((count, THUMB, THUMB), dtype=np.uint8),
            brightness=real[0],
            contrast=real[1],
            sharpness=real[2],
            colours=np.zeros(count, dtype=np.int32),
            flat=real[3],
            captures=[Capture()] * count,
            tiles=np.zeros((tiles, TILE, TILE, 3), dtype=np.uint8),
        )

    @property
    def readable(self) -> NDArray[np.bool_]:
        """Bool [N]: which photos can be read."""
        return np.array([not reason for reason in self.reasons], dtype=bool)


def look_at(
    root: Path, paths: Sequence[str], tiles: Sequence[int] = (), value_range: Range | None = None
) -> Looks:
    """Decode every photo once and note what the checks need of it.

    Args:
        root: Folder the paths are relative to.
        paths: The photos.
        tiles: Rows whose pictures the map shows.
        value_range: Of samples of more than 8 bits, see `decode`.

    Returns:
        What was found; photos that cannot be read have a reason.
    """
    found = Looks.empty(len(paths), len(tiles))
    places = {row: place for place, row in enumerate(tiles)}
    starts = range(0, len(paths), _PIECE)

    def piece(start: int) -> None:
        for row, path in enumerate(paths[start : start + _PIECE], start):
            try:
                _look(found, row, root / path, places.get(row), value_range)
            except UnreadableImage as error:
                found.reasons[row] = str(error).removeprefix(f"{root / path}: ")

    # Decoders and digests release the interpreter's lock, so threads use every core.
    with ThreadPoolExecutor(cores()) as pool:
        pieces = pool.map(piece, starts)
        hidden = columns_of(sys.stderr) is None
        total = len(starts)
        for _ in tqdm(pieces, "photos", total, leave=False, disable=hidden, unit_scale=_PIECE):
            pass
    return found


def _look(found: Looks, row: int, path: Path, place: int | None, value_range: Range | None) -> None:
    data = read_file(path)
    found.bytes[row] = len(data)
    found.kinds[row] = kind_of(data)
    pixels = decode(data, min_side=_SIDE, name=str(path), value_range=value_range)
    found.digests[row] = np.frombuffer(hashlib.sha256(data).digest(), dtype=np.uint8)
    found.sizes[row] = size_of(data, pixels)
    found.captures[row] = capture_of(data)
    grey = cv2.cvtColor(_judged(pixels), cv2.COLOR_RGB2GRAY)
    found.thumbs[row] = cv2.resize(grey, (THUMB, THUMB), interpolation=cv2.INTER_AREA)
    found.brightness[row], found.contrast[row] = grey.mean(), grey.std()
    edges = cv2.Laplacian(grey, cv2.CV_32F).std()
    found.sharpness[row] = edges / max(float(found.contrast[row]), 1.0)
    found.colours[row], found.flat[row] = _colours(pixels)
    if place is not None:
        found.tiles[place] = cv2.resize(pixels, (TILE, TILE), interpolation=cv2.INTER_AREA)


def _judged(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The photo at the size at which all are judged; a smaller one as it is."""
    scale = _SIDE / min(pixels.shape[:2])
    if scale >= 1:
        return pixels
    sides = round(pixels.shape[1] * scale), round(pixels.shape[0] * scale)
    return cast("NDArray[np.uint8]", cv2.resize(pixels, sides, interpolation=cv2.INTER_AREA))


def _colours(pixels: NDArray[np.uint8]) -> tuple[int, float]:
    """How many colours, of 16 levels a channel, there are, and the share of the commonest."""
    small = cv2.resize(pixels, (96, 96), interpolation=cv2.INTER_NEAREST).astype(np.int32) >> 4
    codes = (small[..., 0] << 8) | (small[..., 1] << 4) | small[..., 2]
    shares = np.bincount(codes.ravel(), minlength=4096) / codes.size
    return int((shares >= _SHARES).sum()), float(shares.max())


def kind_of(data: bytes) -> str:
    """The form that a file's first bytes announce, as its usual ending; empty where unknown."""
    heads = {b"\xff\xd8": "jpg", b"\x89PNG\r\n\x1a\n": "png", b"GIF8": "gif", b"BM": "bmp"}
    heads |= dict.fromkeys((b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"), "tif")
    for head, kind in heads.items():
        if data.startswith(head):
            return kind
    if container := container_kind(data[:HEAD]):
        return container.lower()
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "webp"
    return "pnm" if data[:1] == b"P" and data[1:2] in b"123456" and data[2:3].isspace() else ""
