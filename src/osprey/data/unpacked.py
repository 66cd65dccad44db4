"""Photos that come inside of tables, written to files once, in a folder of Osprey's own."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from osprey.data.box_column import Box, boxes_text
from osprey.data.folders import existing_folder
from osprey.data.manifest import Manifest, complete
from osprey.errors import DataError
from osprey.imaging.formats import HEAD, container_kind
from osprey.imaging.size import upright_size
from osprey.system.console import counted
from osprey.system.files import atomic_path
from osprey.system.paths import home_path

MARK, _TABLE = "unpacked.json", "manifest.csv"
_ENDINGS = {b"\xff\xd8": "jpg", b"\x89PNG": "png", b"GIF8": "gif", b"BM": "bmp", b"II*\0": "tif"}
_ENDINGS |= {b"MM\0*": "tif"}


@dataclass(frozen=True)
class Sample:
    """One photo of a table.

    Attributes:
        content: The whole file.
        split: ``train``, ``val``, ``test`` or empty.
        label: Its class; empty with boxes.
        boxes: In pixels; None where it has a label.
        group: What must not straddle splits, such as the clip that it is a frame of.
    """

    content: bytes
    split: str
    label: str = ""
    boxes: list[Box] | None = None
    group: str = ""


def is_unpacked(root: str) -> bool:
    """Whether a folder is one that Osprey unpacked photos into."""
    return bool(root) and (home_path(root) / MARK).is_file()


def unpacked(
    target: Path,
    source: str,
    samples: Callable[[], Iterable[Sample]],
    told: Callable[[], list[str]],
    notices: list[str],
) -> Manifest:
    """The photos of a table as files, written unless they are there already.

    Args:
        target: The folder; it appears once all are written.
        source: What they come from, for messages.
        samples: Gives them.
        told: Gives lines about what had to be guessed; they are told with each reading.
        notices: Lines for the user are appended.

    Returns:
        The manifest.

    Raises:
        DataError: There are none, or the folder is another's.
    """
    if not is_unpacked(str(target)):
        if target.exists() and any(target.iterdir()):
            raise DataError(f"'{target}' is not a folder of unpacked photos: move it away")
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            count = _unpack(target, source, samples, told)
        except OSError:
            if not is_unpacked(str(target)):  # by another process, which is as good
                raise
        else:
            notices.append(f"unpacked {counted(count, 'photo')} of {source} to '{target}'")
    return read_unpacked(str(target), notices)


def _unpack(
    target: Path,
    source: str,
    samples: Callable[[], Iterable[Sample]],
    told: Callable[[], list[str]],
) -> int:
    """Write the photos and their table; returns how many there are."""
    with atomic_path(target) as partial:
        partial.mkdir()
        rows = list(_written(samples(), partial))
        if not rows:
            raise DataError(f"{source} holds no photos")
        table = pd.DataFrame(rows).fillna("")
        table.to_csv(partial / _TABLE, index=False, lineterminator="\n")
        facts = {"source": source, "photos": len(rows), "told": told()}
        (partial / MARK).write_text(json.dumps(facts) + "\n", encoding="utf-8")
    return len(rows)


def read_unpacked(root: str, notices: list[str]) -> Manifest:
    """The manifest of a folder that `unpacked` wrote; lines for the user are appended.

    Raises:
        DataError: It is damaged.
    """
    folder = existing_folder(root)
    try:
        table = pd.read_csv(folder / _TABLE, dtype=str, keep_default_na=False)
        notices += json.loads((folder / MARK).read_text(encoding="utf-8"))["told"]
    except (OSError, ValueError, KeyError, TypeError):
        raise DataError(
            f"'{folder}' has no whole {_TABLE}: delete the folder, and it is written anew"
        ) from None
    return complete(table, folder, f"'{folder / _TABLE}'")


def _written(samples: Iterable[Sample], folder: Path) -> Iterator[dict[str, Any]]:
    """Write each photo; yields its row."""
    for number, sample in enumerate(samples):
        place = f"{sample.split or 'photos'}/{number:07d}.{_ending(sample.content)}"
        file = folder / place
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(sample.content)
        row: dict[str, Any] = {"path": place, "split": sample.split}
        if sample.group:
            row["group"] = sample.group
        if sample.boxes is None:
            yield {**row, "label": sample.label}
            continue
        width, height = upright_size(sample.content) or (0, 0)
        yield {**row, "width": width, "height": height, "boxes": boxes_text(sample.boxes)}


def _ending(content: bytes) -> str:
    if kind := container_kind(content[:HEAD]):
        return kind.lower()
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "webp"
    return next((end for head, end in _ENDINGS.items() if content.startswith(head)), "jpg")
