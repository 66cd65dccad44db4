"""Augmentation: policies on single photos, mixes on batches. Importing this imports no torch."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from osprey.augmentation.box_policy import BoxPolicy
    from osprey.augmentation.mix import BatchMix
    from osprey.augmentation.mosaic import BoxAugmentation
    from osprey.augmentation.policy import Policy, check_policy

__all__ = ["BatchMix", "BoxAugmentation", "BoxPolicy", "Policy", "check_policy"]


_HOMES = {
    "BatchMix": "mix",
    "BoxAugmentation": "mosaic",
    "BoxPolicy": "box_policy",
    "Policy": "policy",
    "check_policy": "policy",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for: a preflight check has no use for torch."""
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
