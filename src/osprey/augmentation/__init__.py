"""Augmentation: policies on single photos, mixes on batches. Importing this imports no torch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from osprey.augmentation.mix import BatchMix
    from osprey.augmentation.policy import Policy, check_policy

__all__ = ["BatchMix", "Policy", "check_policy"]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for: a preflight check has no use for torch."""
    if name == "BatchMix":
        from osprey.augmentation.mix import BatchMix

        return BatchMix
    if name in __all__:
        from osprey.augmentation import policy

        return getattr(policy, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
