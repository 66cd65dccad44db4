"""The service in a process of its own, and photos to ask it about, for serve.py and soak.py."""

from __future__ import annotations

import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
from common import WEIGHTS, environment, real_data
from probe import train


def bundle_of(folder: Path, given: Path | None) -> Path:
    """The bundle that is served: the one named, or a probe's on clothing, trained first."""
    if given is not None:
        return given.resolve()
    train(folder, "experiment=clothing_probe", f"model.pretrained={WEIGHTS}")
    return (folder / "runs" / "latest").resolve() / "bundle"


def jpegs(count: int) -> list[bytes]:
    """Photos of clothing, 400 x 533."""
    found = []
    for file in sorted(real_data("clothing", "test").rglob("*.jpg"))[:count]:
        pixels = cv2.resize(cv2.imread(str(file)), (400, 533))  # type: ignore[arg-type]
        found.append(cv2.imencode(".jpg", pixels)[1].tobytes())
    return found


@contextmanager
def serving(folder: Path, *words: str | Path) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """``osprey serve``, from when it is ready: its process and port."""
    command = [sys.executable, "-m", "osprey", "serve", "--port", "0", *map(str, words)]
    process = subprocess.Popen(
        command,
        cwd=folder,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        raise RuntimeError(process.communicate()[1])
    port = int(line.rsplit(":", 1)[1])
    try:
        wait_for(f"http://127.0.0.1:{port}/readyz", process)
        yield process, port
    finally:
        if process.poll() is None:
            process.terminate()
            process.communicate()


def wait_for(address: str, process: subprocess.Popen[str]) -> None:
    """Until an address answers 200."""
    while True:
        try:
            with urllib.request.urlopen(address, timeout=5):
                return
        except OSError:
            if process.poll() is not None:
                raise RuntimeError(f"{process.args!r} ended") from None
            time.sleep(0.1)


def resident_mb(process: subprocess.Popen[str]) -> float:
    """Memory that a process holds, in MB."""
    lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
    return next(int(x.split()[1]) for x in lines if x.startswith("VmRSS")) / 1000
