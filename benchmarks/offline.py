"""Offline augmentation balanced over classes and boats against the committed recipe, on harbour.

    python benchmarks/offline.py [--seeds 5] [--epochs 12] [--count 1600] [--copies 3]

The committed recipe augments online and draws rare classes more often (``augmentation=light``,
``data.sampler=sqrt``). Against it stand photos written beforehand by ``augment_data`` with the same
policy, balanced over classes and boats, with its weights: once trained on as they are, once with
the online policy on top. All see as many photos: an epoch over four times the files counts for
four. The figure is macro-F1 of the test boats, which no training has seen; its difference from the
recipe's is paired by seed, with a 95% interval of Student's t. Not part of ``make bench``.
"""

from __future__ import annotations

import argparse
import math
import statistics
import tempfile
from pathlib import Path

from common import machine
from scipy import stats

import osprey
from osprey.data.harbour import render_harbour

QUIET = ["callbacks.progress=false", "export=null", "extras.report=false"]


def macro_f1(words: list[str], folder: Path) -> float:
    """Train, and test on boats that were not seen."""
    places = [f"paths.runs={folder / 'runs'}", f"paths.cache={folder / 'cache'}"]
    return float(osprey.train([*words, *QUIET, *places]).summary["test"]["macro_f1"])


def written(root: Path, folder: Path, seed: int, copies: int) -> list[str]:
    """Augment the training boats' photos; the settings that train on them."""
    target, labels = folder / f"offline{seed}", folder / f"offline{seed}.csv"
    osprey.augment_data(
        root / "images",
        target,
        root / "manifest.csv",
        labels,
        policy="light",
        copies=copies,
        balance="uniform",
        balance_by="group",
        originals="link",
        keep=("columns",),
        seed=seed,
    )
    return ["data=table", f"data.root={target}", f"data.file={labels}", "data.size=64"]


def interval(differences: list[float]) -> str:
    """Mean and 95% interval of a few paired differences."""
    mean = statistics.mean(differences)
    if len(differences) < 2:
        return f"{mean:+.3f}"
    error = statistics.stdev(differences) / math.sqrt(len(differences))
    half = float(stats.t.ppf(0.975, len(differences) - 1)) * error
    return f"{mean:+.3f} ({mean - half:+.3f} to {mean + half:+.3f})"


def main(seeds: int, epochs: int, count: int, copies: int) -> None:
    """Print a row for each way."""
    fewer = max(1, round(epochs / (1 + copies)))
    recipe = ["data=harbour", f"trainer.max_epochs={epochs}", f"data.render_count={count}"]
    found: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        root = render_harbour(folder / "harbour", count=count)
        for seed in range(seeds):
            offline = written(root, folder, seed, copies)
            offline += [f"trainer.max_epochs={fewer}"]
            ways = {
                "online, sampler=sqrt (the recipe)": [*recipe, f"data.root={root}"],
                "offline, balanced": [*offline, "augmentation=none"],
                "offline, balanced, and online": [*offline, "augmentation=light"],
            }
            for what, words in ways.items():
                found.setdefault(what, []).append(macro_f1([*words, f"seed={seed}"], folder))
    print(machine())
    print(f"harbour, {count} photos, {epochs} epochs or {fewer} over {1 + copies} times the files")
    print("| way | macro-F1 of unseen boats, seed by seed | mean | difference from the recipe |")
    print("|---|---|---|---|")
    first = next(iter(found.values()))
    for what, figures in found.items():
        each = ", ".join(f"{figure:.3f}" for figure in figures)
        apart = interval([a - b for a, b in zip(figures, first, strict=True)])
        shown = "" if figures is first else apart
        print(f"| {what} | {each} | {statistics.mean(figures):.3f} | {shown} |")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--count", type=int, default=1600)
    parser.add_argument("--copies", type=int, default=3)
    arguments = parser.parse_args()
    main(arguments.seeds, arguments.epochs, arguments.count, arguments.copies)
