"""``osprey check``: is this machine ready, what is missing, and how to get it."""

from __future__ import annotations

import importlib.util
import os
import platform
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from osprey import __version__
from osprey.commands.command_line import Parser
from osprey.errors import UserError
from osprey.system.console import say
from osprey.system.memory import free_memory
from osprey.system.own_files import cache_folder

_ROOM = 2e9  # bytes: harbour, a run with its checkpoints, downloaded weights
_MEMORY = 2e9  # bytes: a small network in training


@dataclass(frozen=True)
class Finding:
    """One line of the answer.

    Attributes:
        state: ``ok``; ``note``, something that one may want; ``missing``, without which nothing
            works.
        what: What was looked at.
        text: What was found, and the remedy.
    """

    state: str
    what: str
    text: str


def main(argv: list[str]) -> int:
    """Print what was found; 1 if something is missing that everybody needs."""
    Parser(
        prog="osprey check",
        description="Is this machine ready? Looks at Python, torch, the GPU, codecs, disk, memory "
        "and W&B, decodes a photo and trains a step. Nothing is written or fetched.",
    ).parse_args(argv)
    missing = False
    for look in (_python, _torch, _gpu, _memory, _disk, _photos, _video, _wandb, _step):
        for finding in _looked(look):
            missing |= finding.state == "missing"
            say(f"{finding.state:<8} {finding.what:<8} {finding.text}")
    say("something is missing: see above" if missing else "ready: osprey demo trains a first model")
    return int(missing)


def _looked(look: Callable[[], Iterator[Finding]]) -> Iterator[Finding]:
    """What ``look`` finds; what it cannot even try is missing."""
    try:
        yield from look()
    except (ImportError, OSError, RuntimeError, UserError) as error:
        why = " ".join(str(error).split())[:160]
        yield Finding("missing", look.__name__.strip("_"), f"{type(error).__name__}: {why}")


def _python() -> Iterator[Finding]:
    version, system = platform.python_version(), f"{platform.system()} {platform.machine()}"
    yield Finding("ok", "python", f"{version} on {system}; osprey {__version__}")


def _torch() -> Iterator[Finding]:
    import torch

    threads = torch.get_num_threads()
    kind = torch.backends.cpu.get_cpu_capability()
    cores = os.cpu_count() or 1
    yield Finding("ok", "torch", f"{torch.__version__}, {threads} threads of {cores} cores, {kind}")
    if os.environ.get("OMP_NUM_THREADS", "").isdigit() and threads < cores:
        yield Finding("note", "threads", f"OMP_NUM_THREADS={threads} leaves cores idle: unset it")


def _gpu() -> Iterator[Finding]:
    import torch

    if torch.cuda.is_available():
        for number in range(torch.cuda.device_count()):
            found = torch.cuda.get_device_properties(number)
            text = f"{found.name}, {found.total_memory / 1e9:.0f} GB, CUDA {torch.version.cuda}"
            yield Finding("ok", "gpu", text)
    elif torch.backends.mps.is_available():
        yield Finding("ok", "gpu", "Apple's, by trainer.accelerator=mps")
    elif shutil.which("nvidia-smi"):
        yield Finding(
            "note",
            "gpu",
            "a driver is there, and torch sees no GPU: install a torch built for its CUDA "
            f"(this one is {torch.__version__})",
        )
    else:
        yield Finding("note", "gpu", "none: training runs on the CPU; experiment=probe is quick")


def _memory() -> Iterator[Finding]:
    free = free_memory()
    if free is None:
        yield Finding("note", "memory", "how much is free is not known here")
        return
    text = f"{free / 1e9:.1f} GB free"
    if free < _MEMORY:
        text += ": close other programs, or lower data.batch_size"
    yield Finding("ok" if free >= _MEMORY else "note", "memory", text)
    shared = Path("/dev/shm")
    if shared.is_dir() and shutil.disk_usage(shared).free < 1e9:
        room = shutil.disk_usage(shared).free / 1e6
        yield Finding(
            "note",
            "memory",
            f"{room:.0f} MB in /dev/shm: start the container with --shm-size=2g, or use "
            "data.num_workers=0",
        )


def _disk() -> Iterator[Finding]:
    for what, folder in (("here", Path.cwd()), ("cache", cache_folder())):
        there = next(p for p in (folder, *folder.absolute().parents) if p.exists())
        if not os.access(there, os.W_OK | os.X_OK):
            remedy = "go to another folder" if what == "here" else "set OSPREY_CACHE=FOLDER"
            yield Finding("missing", "disk", f"cannot write to '{there}' ({what}): {remedy}")
            continue
        room = shutil.disk_usage(there).free
        text = f"{room / 1e9:.0f} GB free for {what}, '{folder}'"
        text += "" if room >= _ROOM else ": make room"
        yield Finding("ok" if room >= _ROOM else "note", "disk", text)


def _photos() -> Iterator[Finding]:
    """Writes a photo in each form to a temporary folder and reads it back."""
    import cv2
    import numpy as np

    from osprey.imaging import read_image

    pixels = np.tile(np.arange(64, dtype=np.uint8)[:, None, None] * 4, (1, 64, 3))
    read: list[str] = []
    failed: list[str] = []
    with TemporaryDirectory() as folder:
        for ending in ("jpg", "png", "webp", "tif", "bmp"):
            file = Path(folder, f"photo.{ending}")
            file.write_bytes(cv2.imencode(f".{ending}", pixels)[1].tobytes())
            good = np.abs(read_image(file).astype(int) - pixels).mean() < 8
            (read if good else failed).append(ending)
    if failed:
        yield Finding("missing", "photos", f"wrongly decoded: {', '.join(failed)}")
    yield Finding("ok", "photos", f"{', '.join(read)} are decoded")


def _video() -> Iterator[Finding]:
    if importlib.util.find_spec("av") is None:
        yield Finding("note", "video", "not installed: pip install 'osprey-vision[video]'")
        return
    import av

    yield Finding("ok", "video", f"PyAV {av.__version__}")


def _wandb() -> Iterator[Finding]:
    from osprey.engine.loggers.wandb_server import why_offline

    why = why_offline(os.environ.get("WANDB_BASE_URL", "https://api.wandb.ai"))
    text = f"offline with logger=wandb: {why}" if why else "ready: logger=wandb"
    yield Finding("note" if why else "ok", "wandb", text)


def _step() -> Iterator[Finding]:
    """One step of a small network on random numbers."""
    import torch

    from osprey.models.registry import ModelSpec, build

    model = build(ModelSpec("simple_cnn", "simple_cnn", {}), 8)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    images, labels = torch.randn(32, 3, 64, 64), torch.arange(32) % 8
    started = time.perf_counter()
    torch.nn.functional.cross_entropy(model(images), labels).backward()  # type: ignore[no-untyped-call]
    optimizer.step()
    spent = 1e3 * (time.perf_counter() - started)
    yield Finding("ok", "step", f"a small network trained on 32 photos of 64 px in {spent:.0f} ms")
