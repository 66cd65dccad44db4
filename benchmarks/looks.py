"""What it costs to ask after each validation whether answers depend on the photo: share of a run.

    python benchmarks/looks.py

Not part of ``make bench``: two trainings, of a few minutes.
"""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path
from typing import Any

from common import Row, finish, row

import osprey
from osprey.engine.callbacks.looks import LooksAtPhotos

HOOKS = ("on_validation_batch_end", "on_validation_epoch_end", "on_train_epoch_end")
RUNS = {
    "harbour, classification": ["trainer.max_epochs=4"],
    "harbour, detection": ["experiment=harbour_fish", "trainer.max_epochs=4"],
}


def timed(spent: list[float], method: Any) -> Any:
    def call(*args: Any, **more: Any) -> None:
        started = time.perf_counter()
        method(*args, **more)
        spent.append(time.perf_counter() - started)

    return call


def share(words: list[str]) -> float:
    """Percent of the seconds of all epochs."""
    spent: list[float] = []
    kept = {name: getattr(LooksAtPhotos, name) for name in HOOKS}
    for name, method in kept.items():
        setattr(LooksAtPhotos, name, timed(spent, method))
    try:
        run = osprey.train([*words, "seed=0", "trainer.autotune=false"])
    finally:
        for name, method in kept.items():
            setattr(LooksAtPhotos, name, method)
    lines = (run.path / "metrics.csv").read_text().splitlines()
    column = lines[0].split(",").index("seconds")
    return 100 * sum(spent) / sum(float(line.split(",")[column]) for line in lines[1:])


def main() -> list[Row]:
    with tempfile.TemporaryDirectory() as name:
        os.chdir(Path(name))
        shares = {what: share(words) for what, words in RUNS.items()}
        os.chdir("/")
    return [
        row(f"{what}: the check's share of the epochs", [found], "%", 1, at_most=True)
        for what, found in shares.items()
    ]


if __name__ == "__main__":
    finish(main())
