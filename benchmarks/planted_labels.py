"""How many planted label errors ``osprey labels`` finds, among the clothing photos.

    python benchmarks/planted_labels.py [--share 0.03]

A share of the photos of each class is put into another class's folder, in a copy made of links.
Not part of ``make bench``: features of 3,781 photos take minutes where they are not kept.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
from common import REPOSITORY, environment, machine, real_data

_SIZE = "data.size=160"


def main(share: float) -> None:
    draw = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as place:
        here = Path(place)
        planted = _linked(here / "photos", share, draw)
        _osprey(here, "scripts/train.py", "experiment=probe", "data=folder",
                "data.root=photos", _SIZE, "export=null")  # fmt: skip
        _osprey(here, "-m", "osprey", "labels")
        (file,) = here.glob("runs/probe/*/labels/suspects.csv")
        found = pd.read_csv(file)["path"].isin(list(planted)).to_numpy()
    print(machine())
    print(f"{len(planted)} labels planted wrongly")
    print("| the first | of them planted | of the planted found |")
    print("|---|---|---|")
    for first in (50, len(planted), 2 * len(planted), len(found)):
        right = int(found[:first].sum())
        count = min(first, len(found))
        print(f"| {count} | {right / count:.2f} | {right / len(planted):.2f} |")


def _linked(root: Path, share: float, draw: np.random.Generator) -> set[str]:
    """The photos as links, some of them in another class's folder; the paths of these."""
    source = real_data("clothing")
    planted = set()
    for split in ("train", "validation", "test"):
        names = sorted(folder.name for folder in (source / split).iterdir())
        for name in names:
            for file in sorted((source / split / name).iterdir()):
                wrong = draw.random() < share
                label = draw.choice([n for n in names if n != name]) if wrong else name
                target = root / split / label / file.name
                target.parent.mkdir(parents=True, exist_ok=True)
                target.symlink_to(file)
                if wrong:
                    planted.add(target.relative_to(root).as_posix())
    return planted


def _osprey(here: Path, *words: str) -> None:
    first = [str(REPOSITORY / words[0]), *words[1:]] if words[0] != "-m" else list(words)
    subprocess.run([sys.executable, *first], cwd=here, env=environment(), check=True,
                   stdout=subprocess.DEVNULL)  # fmt: skip


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--share", type=float, default=0.03)
    main(parser.parse_args().share)
