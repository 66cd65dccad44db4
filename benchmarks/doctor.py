"""The doctor on the clothing photos: seconds and memory; and near hashes among 100,000."""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from common import WEIGHTS, Row, environment, finish, real_data, row

from osprey.doctor.hashing import close_pairs
from osprey.system.memory import cores

HASHES = 100_000
BITS = 8


def examine(root: Path, folder: Path, *words: str) -> tuple[float, float]:
    """Seconds and processor seconds of the command."""
    command = [sys.executable, "-m", "osprey", "doctor", "data=folder", f"data.root={root}"]
    place = environment(OSPREY_CACHE=str(folder / "cache"))
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    command += [*words, f"output={folder / 'out'}"]
    done = subprocess.run(command, env=place, cwd=folder, stdout=subprocess.DEVNULL)
    seconds = time.monotonic() - started
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert done.returncode in (0, 1)
    return seconds, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def hashes() -> tuple[float, float, int]:
    """Seconds, processor seconds and pairs of the search among hashes, 1,000 of them near."""
    draw = np.random.default_rng(0)
    known = draw.integers(0, 2**63, HASHES, dtype=np.uint64)
    near = draw.permutation(HASHES)[:2000].reshape(2, -1)
    flips = (np.uint64(1) << draw.integers(0, 63, (4, 1000)).astype(np.uint64)).tolist()
    for bits in flips:
        known[near[1]] = known[near[0]] if bits is flips[0] else known[near[1]]
        known[near[1]] ^= np.array(bits, dtype=np.uint64)
    started, used = time.monotonic(), time.process_time()
    first, second = close_pairs(known, known, BITS)
    pairs = set(zip(first.tolist(), second.tolist(), strict=True))
    wanted = {(int(min(a, b)), int(max(a, b))) for a, b in near.T}
    assert wanted <= pairs, "a pair was missed"
    return time.monotonic() - started, time.process_time() - used, len(pairs)


def main() -> list[Row]:
    root = real_data("clothing")
    note = f"{cores()} cores used"
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        seconds, used = examine(root, folder)
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
        said = f"{note}; {used:.0f} s of processor time"
        rows.append(row("doctor on 3,781 photos", [seconds], "s", 30, at_most=True, note=said))
        rows.append(row("the same, memory", [peak], "MB", 500, at_most=True))
        if "features" in sys.argv[1:]:
            words = [f"model.pretrained={WEIGHTS}", "model=timm", "model.name=mobilenetv2_100"]
            seconds, used = examine(root, folder, "features=true", *words)
            said = f"{note}; {used:.0f} s of processor time"
            rows.append(row("the same with features", [seconds], "s", 75, at_most=True, note=said))
    seconds, used, pairs = hashes()
    said = f"{note}; {used:.0f} s of processor time; {pairs} pairs within {BITS} bits"
    what = f"near hashes among {HASHES:,}"
    rows.append(row(what, [seconds], "s", 30, at_most=True, note=said))
    return rows


if __name__ == "__main__":
    finish(main())
