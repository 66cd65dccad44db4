"""What a trained network costs: parameters, bytes, and photos a second."""

from __future__ import annotations

import time
from typing import Any

import torch
from torch import nn

from osprey.models.checkpoint import read_checkpoint
from osprey.runs.folder import RunFolder
from osprey.system.console import warn
from osprey.tasks.registry import get_task

_BATCH = 16
_SECONDS = 0.5  # for each timing
_AT_LEAST = 3


def measured(run: RunFolder, *, speed: bool) -> dict[str, Any]:
    """Parameters and bytes of a run's best checkpoint.

    Args:
        run: A finished run.
        speed: Also measure how many photos a second its network answers, alone on this device.

    Returns:
        ``parameters``, ``bytes``, and ``images_per_second`` of photos one by one (``one``) and of
        16 at a time (``batch``).
    """
    state = read_checkpoint(run.best)["state_dict"]
    count = sum(v.numel() for v in state.values() if v.is_floating_point())
    found: dict[str, Any] = {"parameters": count, "bytes": _bytes(state)}
    if speed:
        config = run.load_config()
        network = get_task(config.task.name).load_network(run).eval()
        try:
            found["images_per_second"] = _speed(network, int(config.data.size or 224))
        except Exception as error:  # a network of the user's own that takes no photos
            why = " ".join(str(error).split())[:160]
            warn(f"speed   not measured: {type(error).__name__}: {why}")
    return found


def _bytes(state: dict[str, torch.Tensor]) -> int:
    return sum(value.numel() * value.element_size() for value in state.values())


def _speed(network: nn.Module, size: int) -> dict[str, float]:
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    network = network.to(device)
    found = {}
    with torch.inference_mode():
        for name, count in (("one", 1), ("batch", _BATCH)):
            photos = torch.rand(count, 3, size, size, device=device)
            network(photos)  # what the first call prepares is not counted
            times: list[float] = []
            while len(times) < _AT_LEAST or sum(times) < _SECONDS:
                _wait_for(device)
                started = time.perf_counter()
                network(photos)
                _wait_for(device)
                times.append(time.perf_counter() - started)
            times.sort()
            found[name] = round(count / times[len(times) // 2], 1)
    return found


def _wait_for(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize()
