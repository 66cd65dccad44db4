"""The harbour's own recipe against ``experiment=detect`` in the same minutes, unseen boats.

    python benchmarks/same_minutes.py [--first harbour_fish|detect] [--classes one each] [--seed 0]

One of them trains first, as it is; the other then gets as many passes as take no longer, by the
time of two short trainings: once all fish are one class, and once each is its own. Where
``harbour_fish`` is first, ``experiment=detect`` follows with the weights of the extra ``weights``
and from nothing. Not part of ``make bench``.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from common import machine
from detect import SHORT, trained

DATA = "data=harbour_boxes"
SHORTER, LONGER = 1, 3  # passes by which the time of one is known
CLASSES = {"one": "fish", "each": "null"}
WEIGHTS = ("model.pretrained=true", "model.pretrained=false")


def main(first: str, classes: list[str], seed: int) -> None:
    print(machine())
    print("| classes | who | passes | minutes | AP50 (95%) | mAP |\n|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        trained(folder, [DATA, *SHORT])  # draws the photos
        for kind in classes:
            words = [DATA, f"data.single_class={CLASSES[kind]}", f"seed={seed}"]
            most, found = trained(folder, words, first)
            line(kind, f"experiment={first}", most, found)
            for experiment, more in followers(first):
                then = [*words, *more]
                passes = f"trainer.max_epochs={fitting(folder, then, most, experiment)}"
                spent, found = trained(folder, [*then, passes], experiment)
                line(kind, " ".join([f"experiment={experiment}", *more]), spent, found)


def followers(first: str) -> Iterator[tuple[str, list[str]]]:
    """Who trains in the minutes of the first, and what is set for it."""
    if first == "detect":
        yield "harbour_fish", []
    else:
        yield from (("detect", [weights]) for weights in WEIGHTS)


def fitting(folder: Path, words: list[str], most: float, experiment: str) -> int:
    """Passes that take no longer than ``most`` minutes."""
    few, many = (
        trained(folder, [*words, f"trainer.max_epochs={passes}"], experiment)[0]
        for passes in (SHORTER, LONGER)
    )
    each = (many - few) / (LONGER - SHORTER)
    return max(1, int((most - few) / each) + SHORTER)


def line(classes: str, who: str, minutes: float, found: dict[str, Any] | str) -> None:
    if isinstance(found, str):
        raise SystemExit(found)
    test = found["test"]
    low, high = test["ap50_interval"]
    print(
        f"| {classes} | {who} | {found['epochs']['trained']} | {minutes:.1f} | "
        f"{test['ap50']:.3f} ({low:.3f} to {high:.3f}) | {test['map']:.3f} |",
        flush=True,
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--first", choices=("harbour_fish", "detect"), default="harbour_fish")
    parser.add_argument("--classes", nargs="+", choices=list(CLASSES), default=list(CLASSES))
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    main(arguments.first, arguments.classes, arguments.seed)
