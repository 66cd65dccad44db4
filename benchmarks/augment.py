"""augment_data on clothing photos with policy fish: workers over one, and over as many bare loops.

The bare loop decodes each photo once, augments it four times and writes each copy as a JPEG, in
one process, with nothing else: no plan, no journal, no label file, no original. Two workers are
compared with two such processes at once, half the photos each. Where two cores are not to be had
(``taskset -c 1``) only one worker is measured.
"""

from __future__ import annotations

import csv
import itertools
import multiprocessing
import os
import tempfile
import time
from pathlib import Path

os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")

import cv2
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
cv2.setNumThreads(0)  # one core a loop; and what is forked below finds no threads of ours missing
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

        def loop(some: list[Path], target: Path) -> None:
            for photo in some:
                pixels = read_image(photo)
                for number in range(COPIES):
                    copy = policy(pixels, seed_of(0, photo.name, number))
                    (target / f"{photo.stem}_{number}.jpg").write_bytes(jpeg_bytes(copy))

        def bare() -> float:
            target = folder / f"bare{next(outputs)}"
            target.mkdir()
            started = time.perf_counter()
            loop(photos, target)
            return images / (time.perf_counter() - started)

        def two_bare() -> float:
            target = folder / f"bare{next(outputs)}"
            target.mkdir()
            fork = multiprocessing.get_context("fork")  # nothing but the loop itself is timed
            both = [fork.Process(target=loop, args=(photos[n::2], target)) for n in range(2)]
            started = time.perf_counter()
            for process in both:
                process.start()
            for process in both:
                process.join()
            assert not any(process.exitcode for process in both)
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
                    f"{what}2 workers over two bare loops at once",
                    lambda: ours(2),
                    two_bare,
                    TURNS,
                    0.85,
                ),
                compare(f"{what}two bare loops at once over one", two_bare, bare, TURNS),
            ]
        return rows


if __name__ == "__main__":
    finish(main())
