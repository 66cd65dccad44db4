"""How much an augmentation will write, asked before the first byte."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from osprey.augmentation.offline.variants import Job, VariantMaker
from osprey.errors import UnreadableImage, UserError
from osprey.imaging.decode import read_file
from osprey.imaging.encode import jpeg_bytes
from osprey.system.memory import free_disk

_TRIED = 12  # photos of which one copy is made, to know how large they become


def bytes_needed(maker: VariantMaker, jobs: Sequence[Job]) -> int:
    """About how many bytes the files of these photos will have.

    Args:
        maker: What makes them; nothing is written.
        jobs: The photos.
    """
    augmented = [job for job in jobs if job.copies]
    sizes = []
    for job in augmented[:: max(1, len(augmented) // _TRIED)][:_TRIED]:
        try:
            data = read_file(maker.root / job.source)
            sizes.append(len(jpeg_bytes(maker.variant(job, data, 1)[0])))
        except UnreadableImage:
            continue
    mean = sum(sizes) / max(1, len(sizes))
    kept = 0
    if maker.recipe.originals == "copy":
        kept = sum(os.path.getsize(maker.root / job.source) for job in jobs)
    return kept + round(mean * sum(job.copies for job in jobs))


def check_room(needed: int, folder: Path) -> None:
    """Refuse to begin what the disk has no room for.

    Args:
        needed: Bytes.
        folder: The output folder, or where it will be made.

    Raises:
        UserError: There is less room.
    """
    free = free_disk(next(p for p in (folder, *folder.absolute().parents) if p.is_dir()))
    if needed > free:
        raise UserError(
            f"--output_folder: about {in_bytes(needed)} are to be written, and '{folder}' has room "
            f"for {in_bytes(free)}: make room there, write elsewhere, or ask for fewer --copies"
        )


def in_bytes(size: int) -> str:
    """A size for people: ``3.2 GB``, ``12 MB``."""
    for unit, least in (("GB", 1e9), ("MB", 1e6)):
        if size >= least:
            return f"{size / least:.3g} {unit}"
    return f"{max(1, round(size / 1e3))} kB"
