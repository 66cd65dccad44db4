"""The device that networks run on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from osprey.errors import ConfigError
from osprey.system.allocator import keep_freed_memory

if TYPE_CHECKING:
    import torch


def pick_device(accelerator: str, *, keep_memory: bool = True) -> torch.device:
    """The device that ``accelerator`` means here, made ready for networks.

    Args:
        accelerator: auto, cpu, gpu or mps.
        keep_memory: On a CPU, let the process keep freed memory for the next batch.

    Raises:
        ConfigError: It is asked for by name and not there.
    """
    import torch

    there = {"gpu": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if not there.get(accelerator, True):
        raise ConfigError(f"accelerator={accelerator}: this machine has none; use auto or cpu")
    for name, kind in (("gpu", "cuda"), ("mps", "mps")):
        if there[name] and accelerator in ("auto", name):
            return torch.device(kind)
    if keep_memory:
        keep_freed_memory()
    return torch.device("cpu")
