"""Named rewrites: the same answers from Osprey's own networks, faster or safer on a CPU.

A run applies those of ``trainer.rewrites`` and prints which; a network of the user's own is never
changed. ``keep_memory`` concerns the process, not a network: see `osprey.system.devices`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from torch import nn

from osprey.models.folding import fold_batchnorm
from osprey.models.foreign import is_foreign
from osprey.models.pointwise import dense_strides
from osprey.models.spec import ModelSpec

# The rewrite, and the unit of the count it returns.
_REWRITES: dict[str, tuple[Callable[[nn.Module], int], str]] = {
    "fold_batchnorm": (fold_batchnorm, "pair"),
    "dense_strides": (dense_strides, "layer"),
}
NETWORK_REWRITES = tuple(_REWRITES)


def rewrite(
    model: nn.Module, spec: ModelSpec, names: Sequence[str] = NETWORK_REWRITES
) -> list[str]:
    """Rewrite a network in place; parameters, their names and its answers stay as they are.

    Args:
        model: On the CPU, its weights loaded.
        spec: Description it was built from; a network of the user's own is left alone.
        names: Which rewrites; names of other rewrites are ignored.

    Returns:
        What was done, such as ``fold_batchnorm (52 pairs)``; rewrites that changed nothing are left
        out.
    """
    done = []
    for name, (apply, unit) in _REWRITES.items():
        count = apply(model) if name in names and not is_foreign(spec) else 0
        if count:
            done.append(f"{name} ({count} {unit}{'s' if count > 1 else ''})")
    return done
