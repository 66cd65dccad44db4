"""Seconds of ``osprey learning-curve`` on the clothing photos whose features are kept already."""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from common import WEIGHTS, Row, environment, finish, real_data, row

from osprey.system.memory import cores

_MODEL = ("model=timm", "model.name=mobilenetv2_100", f"model.pretrained={WEIGHTS}")


def draw(folder: Path) -> tuple[float, float]:
    """Seconds of the whole command, and of it what the command itself says."""
    command = [sys.executable, "-m", "osprey", "learning-curve", "data=folder"]
    command += [f"data.root={real_data('clothing')}", *_MODEL]
    place = environment(OSPREY_CACHE=str(folder / "cache"))
    started = time.monotonic()
    done = subprocess.run(
        command, env=place, cwd=folder, check=True, capture_output=True, text=True
    )
    seconds = time.monotonic() - started
    said = re.search(r"\((\d+) s\)", done.stdout)
    assert said is not None
    return seconds, float(said[1])


def main() -> list[Row]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        draw(folder)  # computes the features
        seconds, said = draw(folder)
    note = f"{cores()} cores used; {said:.0f} s of it features, heads and laws"
    what = "learning curve on clothing, features cached"
    return [row(what, [seconds], "s", 30, at_most=True, note=note)]


if __name__ == "__main__":
    finish(main())
