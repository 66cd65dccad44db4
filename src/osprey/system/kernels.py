"""Which of torch's kernels compute: the same numbers each time, or the quickest."""

from __future__ import annotations

import os


def choose_kernels(deterministic: bool) -> None:
    """Set for this process what Lightning's Trainer sets, without what makes it slow.

    Where kernels are deterministic, torch fills memory with NaN before a layer writes to it, so
    that one that reads what it did not write is found out. None of torch's do; the filling takes
    a sixth of a detector's training on a CPU (``benchmarks/filling.py``).

    Args:
        deterministic: The same seed gives the same numbers.
    """
    import torch

    if deterministic:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(deterministic, warn_only=True)
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    torch.backends.cudnn.benchmark = not deterministic
