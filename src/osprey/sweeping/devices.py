"""What the workers of a sweep compute on: a GPU each, or their share of the processor."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from glob import glob

from osprey.config.groups.sweep import SweepConfig
from osprey.errors import ConfigError
from osprey.system.console import counted

NO_GPU = ""  # the processor, on a machine that has GPUs


def check_devices(settings: SweepConfig) -> Sequence[str | None]:
    """The device of each worker; None for the processor.

    Args:
        settings: Of the sweep.

    Raises:
        ConfigError: ``sweep.devices`` names a GPU that is not there.
    """
    wanted, there = settings.devices, _gpus()
    if wanted == "none" or (wanted == "auto" and not there):
        return [NO_GPU if there else None] * settings.workers
    if wanted == "auto":
        return there[: settings.workers]
    if not isinstance(wanted, list) or not wanted or not all(str(d).isdigit() for d in wanted):
        raise ConfigError(
            f"sweep.devices={wanted}: give auto, none, or GPUs such as [0,1]; one named twice "
            "has two workers"
        )
    missing = [str(d) for d in wanted if str(d) not in there]
    if missing:
        known = f"there are {', '.join(there)}" if there else "there is none"
        raise ConfigError(f"sweep.devices: no GPU {', '.join(missing)} here ({known})")
    return [str(device) for device in wanted]


def described(devices: Sequence[str | None]) -> str:
    """One line on what the workers compute on."""
    count = len(devices)
    if devices[0]:
        return f"{counted(count, 'worker')} on GPU {', '.join(map(str, devices))}"
    return f"{counted(count, 'worker')}, {counted(threads_of(count), 'thread')} each"


def threads_of(workers: int) -> int:
    """Threads of each worker: they wait for one another where there are more than cores."""
    # macOS and Windows do not say which cores a process may use.
    affinity = getattr(os, "sched_getaffinity", None)
    cores = len(affinity(0)) if affinity is not None else os.cpu_count() or 1
    return max(1, cores // workers)


def environment_of(device: str | None, workers: int) -> Mapping[str, str]:
    """Environment variables of a worker, which torch reads while it is imported.

    Where cores are shared, threads that wait must sleep: by default they spin, and two trainings
    at once take ten times as long as one after the other.
    """
    found: dict[str, str] = {} if device is None else {"CUDA_VISIBLE_DEVICES": device}
    if workers > 1:
        threads = str(threads_of(workers))
        found |= {"OMP_NUM_THREADS": threads, "MKL_NUM_THREADS": threads}
        found |= {"OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "0", "KMP_BLOCKTIME": "0"}
    return found


def _gpus() -> list[str]:
    """The GPUs this process may use, by the names that workers are given."""
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    if named is not None:
        return [part.strip() for part in named.split(",") if part.strip() not in ("", "-1")]
    if not any(glob(path) for path in ("/dev/nvidia[0-9]*", "/dev/kfd", "/dev/dxg")):
        return []  # asking torch costs seconds

    import torch

    return [str(number) for number in range(torch.cuda.device_count())]
