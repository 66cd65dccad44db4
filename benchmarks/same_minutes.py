"""The harbour's own recipe against ``experiment=detect`` in the same minutes, unseen boats.

    python benchmarks/same_minutes.py [--seed 0]

``experiment=harbour_fish`` trains first, for all fish as one class and for each class;
``experiment=detect``, with the weights of the extra ``weights`` and from nothing, then gets as
many passes as take no longer, by the time of two short trainings. Not part of ``make bench``.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

from common import machine
from detect import SHORT, trained

DATA = "data=harbour_boxes"
SHORTER, LONGER = 1, 3  # passes by which the time of one is known


def main(seed: int) -> None:
    print(machine())
    print("| classes | who | passes | minutes | AP50 (95%) | mAP |\n|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        trained(folder, [DATA, *SHORT])  # draws the photos
        for classes, one in (("one", "fish"), ("each", "null")):
            words = [DATA, f"data.single_class={one}", f"seed={seed}"]
            most, before = trained(folder, words, "harbour_fish")
            line(classes, "experiment=harbour_fish", "14", most, before)
            for more in ("model.pretrained=true", "model.pretrained=false"):
                passes = fitting(folder, [*words, more], most)
                spent, found = trained(folder, [*words, more, f"trainer.max_epochs={passes}"])
                line(classes, f"experiment=detect {more}", str(passes), spent, found)


def fitting(folder: Path, words: list[str], most: float) -> int:
    """Passes that take no longer than ``most`` minutes."""
    few, many = (
        trained(folder, [*words, f"trainer.max_epochs={passes}"])[0] for passes in (SHORTER, LONGER)
    )
    each = (many - few) / (LONGER - SHORTER)
    return max(1, int((most - few) / each) + SHORTER)


def line(classes: str, who: str, passes: str, minutes: float, found: dict[str, Any] | str) -> None:
    if isinstance(found, str):
        raise SystemExit(found)
    test = found["test"]
    low, high = test["ap50_interval"]
    print(
        f"| {classes} | {who} | {passes} | {minutes:.1f} | "
        f"{test['ap50']:.3f} ({low:.3f} to {high:.3f}) | {test['map']:.3f} |",
        flush=True,
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seed", type=int, default=0)
    main(parser.parse_args().seed)
