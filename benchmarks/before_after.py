"""This checkout against another one: ``python benchmarks/before_after.py OTHER [TURNS]``.

Each command runs in turn from both, in one run, so that the ratio holds where the machine drifts:
``--help``, a configuration error, the first training step, one photo named, one photo's boxes, and
training's images a second.
"""

from __future__ import annotations

import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from common import REPOSITORY
from start import WATCHED

CALL = "import sys; from osprey.commands import main; sys.exit(main())"
QUICK = ["trainer.autotune=false", "callbacks.progress=false"]  # of the harbour as it is rendered
BOXES = [
    *("task=detection", "data=harbour_boxes", "model=ssdlite", "data.single_class=fish"),
    *("model.backbone=mobilenetv3_small_050", "model.pretrained=false", "data.size=64"),
    *("model.freeze_batchnorm=false", "trainer.max_epochs=1", "trainer.limit_train_batches=2"),
    *("trainer.limit_eval_batches=1", "augmentation=none", "name=boxes"),
]


class Checkout:
    """One version of the project, its runs and its cache.

    Args:
        root: The checkout.
        folder: Where its commands run.
    """

    def __init__(self, root: Path, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        kept = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
        self.environment = kept | {
            "PYTHONPATH": str(root / "src"),
            "OSPREY_CACHE": str(folder / "cache"),
        }

    def run(self, *words: str, code: str = CALL) -> tuple[float, str]:
        """Seconds of a command, and what it printed."""
        started = time.monotonic()
        done = subprocess.run(
            [sys.executable, "-c", code, *words],
            cwd=self.folder,
            env=self.environment,
            text=True,
            capture_output=True,
        )
        return time.monotonic() - started, done.stdout + done.stderr

    def prepare(self) -> None:
        """The runs that are asked about, and bytecode."""
        for words in (["name=named", "trainer.max_epochs=1"], BOXES):
            _, said = self.run("train", *QUICK, *words)
            assert "next:" in said, said

    def seconds(self) -> dict[str, float]:
        """One turn of everything that is timed as a whole process."""
        photo = str(next(self.folder.glob("data/harbour/images/*/*.jpg")))
        runs = {name: str(next(self.folder.glob(f"runs/{name}/*"))) for name in ("named", "boxes")}
        return {
            "--help": self.run("train", "--help")[0],
            "configuration error": self.run("train", "optimizer.lrr=1")[0],
            "first training step": self._first_step(),
            "one photo named": self.run("predict", "--image", photo, "--run", runs["named"])[0],
            "one photo's boxes": self.run("predict", "--image", photo, "--run", runs["boxes"])[0],
        }

    def _first_step(self) -> float:
        took, said = self.run(code=WATCHED)
        assert "first step" in said, said
        return took

    def rate(self) -> float:
        """Images a second of training, the median epoch."""
        _, said = self.run("train", *QUICK, "name=rate", "trainer.max_epochs=8")
        return statistics.median(float(found) for found in re.findall(r"(\d+) images/s", said))


def main(other: Path, turns: int = 5) -> None:
    """Print a table of medians and ratios, this checkout over the other."""
    with tempfile.TemporaryDirectory() as scratch:
        both = [
            Checkout(root.resolve(), Path(scratch) / name)
            for name, root in (("other", other), ("this", REPOSITORY))
        ]
        for checkout in both:
            checkout.prepare()
        found = [[checkout.seconds() for checkout in both] for _ in range(turns)]
        rates = [[checkout.rate() for checkout in both] for _ in range(turns)]
    print("| what | before | after | after / before |")
    print("|---|---|---|---|")
    for what in found[0][0]:
        pairs = [(before[what], after[what]) for before, after in found]
        print(_row(what, pairs, "s"))
    print(_row("training, images/s", [(pair[0], pair[1]) for pair in rates], ""))


def _row(what: str, pairs: list[tuple[float, float]], unit: str) -> str:
    before, after = (statistics.median(values) for values in zip(*pairs, strict=True))
    ratio = statistics.median(b / a for a, b in pairs)
    return f"| {what} | {before:.2f} {unit} | {after:.2f} {unit} | {ratio:.2f} |"


if __name__ == "__main__":
    if len(sys.argv) < 2 or not (Path(sys.argv[1]) / "src" / "osprey").is_dir():
        sys.exit("usage: python benchmarks/before_after.py CHECKOUT_OF_ANOTHER_VERSION [TURNS]")
    main(Path(sys.argv[1]), *map(int, sys.argv[2:]))
