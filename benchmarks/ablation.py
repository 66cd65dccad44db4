"""``experiment=detect`` with each of its choices undone, one at a time.

    python benchmarks/ablation.py [SET ...] [--seeds 3] [--passes 6] [--only TEXT ...]
        [-- SETTING ...]

A choice undone is what a detector has without the recipe. Fewer passes than the recipe takes, so
that the table is done within hours; settings after ``--`` go to every training, such as a smaller
``data.size``; ``--only`` measures the rows whose name has one of the texts.
Not part of ``make bench``.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from pathlib import Path

from common import machine
from detect import SETS, interval, trained

UNDONE = {
    "as chosen": (),
    "the same rate in every layer": ("optimizer.layer_decay=1.0",),
    "the model's usual rate": ("optimizer.lr=5e-4",),
    "no stage at rest": ("model.freeze_stages=0",),
    "BatchNorm follows": ("model.freeze_batchnorm=false",),
    "batches of 32": ("data.batch_size=32",),
    "no average of weights": ("callbacks.ema_decay=null",),
    "256 channels, five levels": ("model.options={width:256,levels:5}",),
    "no mosaics": ("augmentation.mosaic=0",),
    "rare classes not repeated": ("data.sampler=uniform",),
    "640 px": ("data.size=640",),  # the slowest, last
}


def main(names: list[str], seeds: int, passes: int, only: list[str], more: list[str]) -> None:
    print(machine())
    print("| set | what is undone | seeds: AP50/mAP | AP50 | mAP | minutes | stopped |")
    print("|---|---|---|---|---|---|---|")
    for name in names:
        with tempfile.TemporaryDirectory() as place:
            words = [*SETS[name](Path(place)), f"trainer.max_epochs={passes}", *more]
            for what, settings in UNDONE.items():
                if not any(text in what for text in only):
                    continue
                runs = [
                    trained(Path(place), [*words, *settings, f"seed={seed}"])
                    for seed in range(seeds)
                ]
                print(row(name, what, runs), flush=True)


def row(name: str, what: str, runs: list[tuple[float, object]]) -> str:
    sound = [summary["test"] for _, summary in runs if isinstance(summary, dict)]
    for _, stopped in runs:
        if isinstance(stopped, str):
            print(f"  {name}, {what}: {stopped}", file=sys.stderr)
    each = ", ".join(f"{test['ap50']:.3f}/{test['map']:.3f}" for test in sound)
    means = [interval([test[key] for test in sound]) if sound else "" for key in ("ap50", "map")]
    minutes = statistics.mean(spent for spent, _ in runs)
    stopped_ones = len(runs) - len(sound)
    return f"| {name} | {what} | {each} | {' | '.join(means)} | {minutes:.1f} | {stopped_ones} |"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("sets", nargs="*", metavar="SET", help=", ".join(SETS))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--passes", type=int, default=6)
    parser.add_argument("--only", nargs="+", default=[""], metavar="TEXT")
    index = sys.argv.index("--") if "--" in sys.argv else len(sys.argv)
    arguments, settings = parser.parse_args(sys.argv[1:index]), sys.argv[index + 1 :]
    names = arguments.sets or ["blood_cells", "harbour"]
    main(names, arguments.seeds, arguments.passes, arguments.only, settings)
