"""augment_data on clothing photos with policy fish: two workers over one, and over the bare loop.

The bare loop decodes each photo once, augments it four times and writes each copy as a JPEG, in one
process, with nothing else: no plan, no journal, no label file, no original. Where two cores are not
to be had (``taskset -c 1``) only one worker is measured.
"""

from __future__ import annotations

import csv
import itertools
import os
import tempfile
import time
from pathlib import Path

os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")

from common import Row, compare, finish, real_data

from osprey.augmentation import Policy
from osprey.augmentation.offline.augment import augment
from osprey.augmentation.offline.options import AugmentOptions
from osprey.augmentation.offline.policies import policy_steps
from osprey.augmentation.offline.variants import seed_of
from osprey.imaging import Preprocess, read_image
from osprey.imaging.encode import jpeg_bytes

PHOTOS = int(os.environ.get("OSPREY_BENCH_PHOTOS", "600"))
TURNS = int(os.environ.get("OSPREY_BENCH_TURNS", "5"))
COPIES, SIDE = 4, 240  # the short side of these photos


def chosen(source: Path, folder: Path) -> list[Path]:
    """Links to photos spread over the classes, and their table."""
    photos = sorted(source.glob("train/*/*.jpg"))
    photos = photos[:: max(1, len(photos) // PHOTOS)][:PHOTOS]
    with (folder / "labels.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["photo", "class"])
        for photo in photos:
            link = folder / "in" / photo.parent.name / photo.name
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(photo)
            rows.writerow([link.relative_to(folder / "in").as_posix(), photo.parent.name])
    return photos


def main() -> list[Row]:
    """Images a second, fixed costs of the command included."""
    source = real_data("clothing")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        photos, outputs = chosen(source, folder), itertools.count()
        policy = Policy(policy_steps("fish", []), Preprocess(SIDE))
        images = COPIES * len(photos)

        def bare() -> float:
            target = folder / f"bare{next(outputs)}"
            target.mkdir()
            started = time.perf_counter()
            for photo in photos:
                pixels = read_image(photo)
                for number in range(COPIES):
                    copy = policy(pixels, seed_of(0, photo.name, number))
                    (target / f"{photo.stem}_{number}.jpg").write_bytes(jpeg_bytes(copy))
            return images / (time.perf_counter() - started)

        def ours(workers: int) -> float:
            number = next(outputs)
            options = AugmentOptions(
                folder / "in",
                folder / f"out{number}",
                folder / "labels.csv",
                folder / f"new{number}.csv",
                policy="fish",
                copies=COPIES,
                workers=workers,
            )
            started = time.perf_counter()
            augment(options, lambda line: None)
            return images / (time.perf_counter() - started)

        what = f"augment_data, {len(photos)} clothing photos, policy fish, {COPIES} copies: "
        rows = [compare(f"{what}1 worker over the bare loop", lambda: ours(1), bare, TURNS, 0.85)]
        if len(os.sched_getaffinity(0)) > 1:
            rows += [
                compare(f"{what}2 workers over 1", lambda: ours(2), lambda: ours(1), TURNS, 1.7),
                compare(
                    f"{what}2 workers over two bare loops' worth",
                    lambda: ours(2),
                    lambda: 2 * bare(),
                    TURNS,
                    0.85,
                ),
            ]
        return rows


if __name__ == "__main__":
    finish(main())
