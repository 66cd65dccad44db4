"""Tables with one column a class, of photos or of clips, as the jungle competition's are."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from osprey.config.schema import DataConfig
from osprey.data.folders import existing_folder
from osprey.data.manifest import Manifest, complete
from osprey.data.missing import skip_hint, skipped_line
from osprey.data.photo_paths import PhotoPaths
from osprey.data.stamps import file_stamps
from osprey.data.table_reader import check_paths, find_table, without_missing
from osprey.data.tables import load_table
from osprey.data.unpacked import Sample, is_unpacked, read_unpacked, unpacked
from osprey.errors import DataError, UnreadableImage
from osprey.imaging.video import open_video
from osprey.system.console import counted
from osprey.system.paths import home_path

_CLIPS = (".mp4", ".avi", ".mov", ".mkv", ".m4v", ".asf", ".wmv", ".webm")
_SURE = 0.5  # a cell from which a photo is of the column's class


def read_class_columns(config: DataConfig, notices: list[str]) -> Manifest:
    """Read a table whose first column names photos or clips and whose others are classes.

    Photos of one class are learnt from; those of several or of none are left out and told. Of a
    clip ``data.frames`` frames become photos, in one group, below ``data.unpacked``.

    Args:
        config: The data section of the configuration.
        notices: Lines for the user are appended here.

    Returns:
        The manifest.

    Raises:
        DataError: One line that says what is missing.
    """
    if is_unpacked(config.root):
        return read_unpacked(config.root, notices)
    root = existing_folder(config.root)
    file = find_table(config, root)
    named = config.columns.get("path", "path")
    table = load_table(file, [named], notices)
    first = named if named in table else str(table.columns[0])
    rows = _single(table, first, file, notices)
    if rows.empty:
        raise DataError(f"'{file}': no row is of one class alone")
    if str(rows["path"].iloc[0]).lower().endswith(_CLIPS):
        return _clips(rows, root, file, config, notices)
    paths = PhotoPaths(root)
    rows["path"] = [paths.find(name) or name for name in rows["path"]]
    notices += paths.notice()
    if config.missing == "skip":
        rows = without_missing(rows, root, file, notices)
    manifest = complete(rows, root, f"'{file}'")
    check_paths(manifest, file)
    return manifest


def _single(table: pd.DataFrame, first: str, file: Path, notices: list[str]) -> pd.DataFrame:
    """Path and label of the rows of one class."""
    classes = [str(name) for name in table.columns if name != first]
    cells = table[classes].apply(pd.to_numeric, errors="coerce")
    wrong = cells.isna().any(axis=1)
    if not classes or wrong.any():
        row = int(wrong.argmax()) + 2
        column = next((c for c in classes if cells[c].isna().any()), "")
        raise DataError(
            f"'{file}' line {row}: '{column}' is not a number: each column but '{first}' must be a "
            "class, 1 or 0"
        )
    sure = cells.to_numpy() >= _SURE
    count = sure.sum(axis=1)
    for what, some in (("of several classes", count > 1), ("of no class", count == 0)):
        if some.any():
            example = table[first][some].iloc[0]
            notices.append(
                f"left out, {what}: {counted(int(some.sum()), 'row')} such as '{example}'"
            )
    labels = [classes[place] for place in sure[count == 1].argmax(axis=1)]
    return pd.DataFrame({"path": table[first][count == 1].to_numpy(), "label": labels})


# ---------------------------------------------------------------- clips


def _clips(
    rows: pd.DataFrame, root: Path, file: Path, config: DataConfig, notices: list[str]
) -> Manifest:
    if config.unpacked is None:
        raise DataError(f"'{file}' names clips: name a folder for their frames with data.unpacked=")
    there = {path.name: path for path in root.rglob("*") if path.suffix.lower() in _CLIPS}
    found = [there.get(Path(str(name).replace("\\", "/")).name) for name in rows["path"]]
    missing = [name for name, clip in zip(rows["path"], found, strict=True) if clip is None]
    if missing and (config.missing == "refuse" or len(missing) == len(found)):
        raise DataError(
            f"'{file}' lists {len(missing)} of {len(rows)} clips that are not under '{root}', "
            f"first '{missing[0]}'; is data.root right?{skip_hint(len(missing), len(rows))}"
        )
    if missing:
        notices.append(skipped_line(missing, "clip"))
    pairs = [(c, str(t)) for c, t in zip(found, rows["label"], strict=True) if c is not None]
    damaged: list[str] = []
    target = home_path(config.unpacked) / f"{root.resolve().name}-{_key(root, file, pairs, config)}"

    def samples() -> Iterator[Sample]:
        for clip, label in pairs:
            try:
                frames = frames_of(clip, config.frames)
            except UnreadableImage as error:
                damaged.append(str(error))
                continue
            for pixels in frames:
                content = cv2.imencode(".png", pixels[..., ::-1])[1].tobytes()
                yield Sample(content, "", label, group=clip.name)

    def told() -> list[str]:
        some = f"{config.frames} frames of each of {counted(len(pairs), 'clip')} (data.frames)"
        bad = f"left out, cannot be read: {counted(len(damaged), 'clip')}, first {damaged[:1]}"
        return [some, *([bad] if damaged else [])]

    return unpacked(target, f"'{file}'", samples, told, notices)


def _key(root: Path, file: Path, pairs: list[tuple[Path, str]], config: DataConfig) -> str:
    names = [clip.relative_to(root).as_posix() for clip, _ in pairs]
    facts: Any = [config.frames, [label for _, label in pairs], str(root.resolve())]
    stamps = file_stamps(root, names).tobytes() + json.dumps(facts).encode()
    return hashlib.sha256(stamps).hexdigest()[:16]


def frames_of(clip: Path, count: int) -> list[NDArray[np.uint8]]:
    """Frames of a clip, evenly spaced from its first to its last.

    Args:
        clip: The file.
        count: How many at most.

    Returns:
        uint8 [H, W, 3] each, RGB; the middle one where one is wanted.

    Raises:
        UnreadableImage: None can be decoded.
    """
    total = sum(1 for _ in _frames(clip))  # headers say what is not true
    if not total:
        raise UnreadableImage(f"{clip}: no frame of it can be decoded")
    if count == 1:
        wanted = {total // 2}
    else:
        wanted = {round(i * (total - 1) / (count - 1)) for i in range(count)}
    return [pixels for number, pixels in enumerate(_frames(clip)) if number in wanted]


def _frames(clip: Path) -> Iterator[NDArray[np.uint8]]:
    video = open_video(clip)
    try:
        for frame in video:
            yield frame.pixels
    finally:
        video.close()
