"""Everything that needs a GPU, in one call: ``python benchmarks/gpu.py [--rehearse] [PART ...]``.

It prints one table with the date, the machine and the commit. The photos are made here, so nothing
is downloaded. ``--rehearse`` runs each part as far as it can be run on two CPU processes: smaller
networks, gloo in place of NCCL, no 16-mixed.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
from common import REPOSITORY, Row, finish, machine
from gpu_runs import DETECTORS, Runs
from gpu_speed import Speed, write_photos

from osprey.tasks.quiet import quieten

Parts = dict[str, Callable[[], list[Row]]]
PARTS = (
    *("ddp", "fsdp", "precision", "compile"),
    *DETECTORS,
    *("photos", "step", "autotune"),
)


def make_parts(real: bool, folder: Path) -> Parts:
    """The parts by name; they share the photos, and the runs that several compare with."""
    write_photos(folder / "photos", 2000 if real else 200)
    runs, speed = Runs(real, folder), Speed(real, folder)
    functions = (
        *(runs.ddp_over_one, runs.fsdp_over_one, runs.half_over_whole),
        *(runs.compiled_over_eager, *(partial(runs.detector, name) for name in DETECTORS)),
        *(speed.photos_over_tensors, speed.step_over_timm, speed.tuned),
    )
    return dict(zip(PARTS, functions, strict=True))


def heading(real: bool) -> str:
    """When, where and of what."""
    ask = ["git", "-C", str(REPOSITORY), "describe", "--always", "--dirty"]
    commit = subprocess.run(ask, capture_output=True, text=True).stdout.strip() or "no commit"
    count = torch.cuda.device_count() if real else 0
    how = f"{count} GPU{'s' * (count != 1)}" if real else "rehearsed on two CPU processes"
    return f"GPU checks, {time.strftime('%Y-%m-%d')}, {how}, {machine()}, {commit}\n"


def main(real: bool, names: list[str]) -> int:
    """Run the parts; one that breaks does not end the others. Returns how many broke."""
    quieten()
    rows: list[Row] = []
    broken: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        parts = make_parts(real, Path(folder))
        for name in names or PARTS:
            print(f"== {name}", flush=True)
            started = time.monotonic()
            try:
                rows += parts[name]()
            except Exception:
                traceback.print_exc()
                broken.append(name)
            print(f"   {time.monotonic() - started:.0f} s", flush=True)
    print(f"\n{heading(real)}")
    finish(rows)
    if broken:
        print(f"broke: {', '.join(broken)}", file=sys.stderr)
    return len(broken)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rehearse", action="store_true", help="on two CPU processes")
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}; or all")
    given = parser.parse_args()
    if unknown := set(given.parts) - set(PARTS):
        parser.error(f"no part {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    if not given.rehearse and not torch.cuda.is_available():
        parser.error("there is no GPU: --rehearse runs it on two CPU processes")
    sys.exit(min(1, main(not given.rehearse, given.parts)))
