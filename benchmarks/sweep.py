"""What sweeps cost: ``python benchmarks/sweep.py [PART ...]``; ``--help`` names the parts.

Not part of ``make bench``: some take minutes. Every figure is of one run on one machine.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from common import DATA, real_data

TINY = [
    *("model.options={width: 4}", "data.size=32", "data.render_count=200", "data.batch_size=8"),
    *("data.num_workers=0", "trainer.max_epochs=2", "trainer.autotune=false"),
]


def osprey(place: Path, *words: str, **more: str) -> tuple[float, str]:
    """Seconds of a command, and what it printed; one that fails ends the benchmark."""
    started = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "osprey", *words],
        cwd=place,
        env={**os.environ, "OSPREY_REAL_DATA": str(DATA), **more},
        capture_output=True,
        text=True,
        check=False,
    )
    seconds = time.perf_counter() - started
    if done.returncode:
        raise SystemExit(done.stderr)
    return seconds, done.stdout


def trials(place: Path) -> list[dict[str, Any]]:
    files = sorted(place.glob("runs/sweeps/*/trials/*.json"))
    return [json.loads(file.read_text()) for file in files]


def overhead(place: Path) -> None:
    """Seconds a trial beyond its training: by the times of its files, from the second on."""
    osprey(place, "train", *TINY)  # renders the photos
    osprey(place, "train", "-m", "sweep=grid", "seed=0,1,2,3,4,5,6,7", *TINY)
    ended = [(place / r["run"] / "summary.json").stat().st_mtime for r in trials(place)]
    begun = [(place / r["run"] / "trial.json").stat().st_mtime for r in trials(place)]
    between = [b - e for b, e in zip(begun[1:], ended[:-1], strict=True)]
    print(
        f"sweeper, from a summary to the next run folder: median {statistics.median(between):.2f} s"
        f", most {max(between):.2f} s of {len(between)} (goal: under 1 s)"
    )


def clothing(place: Path) -> None:
    """20 probe trials with features cached, workers started included."""
    words = ["experiment=clothing_probe", f"data.root={real_data('clothing')}"]
    osprey(place, "train", *words)
    sweep = ["sweep=grid", "seed=range(0,20)", "sweep.workers=2"]
    seconds, _ = osprey(place, "train", "-m", *words, *sweep)
    print(f"20 probe trials on clothing, features cached: {seconds:.0f} s (goal: 60 s)")


def probes(place: Path) -> None:
    """A sweep over what a probe of clothing may be: two networks, one view or four, two sizes."""
    words = ["experiment=probe", "data=clothing", f"data.root={real_data('clothing')}"]
    space = [
        "model=efficientnet_lite0,efficientnet_lite2",
        "model.probe_views=1,4",
    ]
    seconds, out = osprey(place, "train", "-m", *words, *space, "sweep=grid")
    print(out[out.index("sweep, best first") :].strip())
    print(f"{seconds / 60:.1f} minutes")


def together(place: Path) -> None:
    """Two trainings at once by two workers, against one after the other."""
    words = ["train", "-m", "sweep=grid", "seed=0,1", "trainer.max_epochs=2", "data.num_workers=0"]
    osprey(place, "train", "trainer.max_epochs=1", "trainer.limit_train_batches=2")
    one, _ = osprey(place, *words)
    two, _ = osprey(place, *words, "sweep.workers=2")
    print(f"two at once against one after the other: {one / two:.2f} of the speed (goal: 0.9)")


def board(place: Path) -> None:
    """The leaderboard over 1,000 run folders."""
    osprey(place, "train", *TINY)
    (run,) = (
        file.parent for file in place.glob("runs/*/*/summary.json") if not file.parent.is_symlink()
    )
    for number in range(1000):
        shutil.copytree(
            run, run.with_name(f"copy-{number:04d}"),
            ignore=shutil.ignore_patterns("checkpoints", "plots", "report.html"),
        )  # fmt: skip
    seconds, _ = osprey(place, "leaderboard")
    print(f"leaderboard over 1,001 run folders: {seconds:.2f} s (goal: 2 s)")


def pruning(place: Path, seeds: int = 5) -> None:
    """Median pruning against none: the same trials on the harbour, several seeds of the sampler."""
    space = "optimizer.lr=tag(log,interval(1e-5,1e-1))"
    words = ["train", "-m", "sweep=optuna", "sweep.trials=12", space, "trainer.max_epochs=8"]
    small = ["data.size=64", "data.render_count=400", "trainer.autotune=false"]
    osprey(place, "train", *small, "trainer.max_epochs=1")
    ratios, best = [], {}
    for seed in range(seeds):
        times = {}
        for pruner in ("none", "median"):
            runs = f"paths.runs={pruner}{seed}"
            times[pruner], _ = osprey(
                place, *words, *small, f"seed={seed}", f"sweep.pruner={pruner}", runs
            )
            files = place.glob(f"{pruner}{seed}/sweeps/*/trials/*.json")
            found = [json.loads(file.read_text())["value"] for file in files]
            best.setdefault(pruner, []).append(max(v for v in found if v is not None))
        ratios.append(times["median"] / times["none"])
    print(
        f"pruning against none, {seeds} seeds of 12 trials: time {statistics.mean(ratios):.2f} "
        f"(goal: 0.6); best macro-F1 {statistics.mean(best['median']):.3f} against "
        f"{statistics.mean(best['none']):.3f}, "
        f"each {', '.join(f'{a:.3f}/{b:.3f}' for a, b in zip(*best.values(), strict=True))}"
    )


PARTS: dict[str, Callable[[Path], None]] = {
    "overhead": overhead,
    "clothing": clothing,
    "probes": probes,
    "together": together,
    "board": board,
    "pruning": pruning,
}

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("parts", nargs="*", metavar="PART", help=", ".join(PARTS))
    for name in parser.parse_args().parts or list(PARTS):
        with tempfile.TemporaryDirectory() as folder:
            PARTS[name](Path(folder))
            sys.stdout.flush()
