"""Start a network from another run's: the whole backbone, and the head class by class."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

from torch import nn

from osprey.errors import CheckpointError
from osprey.models.checkpoint import load_model
from osprey.models.registry import ModelSpec, build
from osprey.models.traits import SharedClasses, traits_of

_SHOWN = 10  # class names in one line


def build_from_run(
    spec: ModelSpec, classes: Sequence[str], checkpoint: Path
) -> tuple[nn.Module, str]:
    """Build a network with the weights of a run's checkpoint.

    A class that both know keeps its weights in the head; a new one starts from random weights.

    Args:
        spec: Description of the network; factory and name must be the checkpoint's.
        classes: Class names in the order of the outputs.
        checkpoint: The run's checkpoint.

    Returns:
        The network, and one line that says which weights were copied and which were not.

    Raises:
        CheckpointError: The checkpoint cannot be read, or is of another network.
    """
    donor, metadata = load_model(checkpoint)
    if (metadata.model.factory, metadata.model.name) != (spec.factory, spec.name):
        raise CheckpointError(
            f"from: '{checkpoint}' is a {metadata.model.name}, not a {spec.name}: "
            "leave model=... out, a run brings its own"
        )
    model = build(spec, len(classes))
    own, theirs = model.state_dict(), donor.state_dict()
    shared = SharedClasses.between(classes, metadata.classes)
    traits = traits_of(model)
    heads = traits.class_layers()
    for key, value in theirs.items():
        if key not in own:
            raise CheckpointError(f"from: '{checkpoint}' holds '{key}', which {spec.name} has not")
        if not key.startswith(heads):
            own[key] = value
        else:
            traits.copy_classes(key, own[key], value, shared)
    try:
        model.load_state_dict(own)
    except RuntimeError:
        raise CheckpointError(
            f"from: the tensors of '{checkpoint}' do not fit '{spec.name}' as configured: "
            "leave model.options and data.size as the run had them"
        ) from None
    return model, f"weights: {checkpoint}" + _describe_head(classes, metadata.classes)


def _describe_head(classes: Sequence[str], before: Sequence[str]) -> str:
    """What became of the head, where it does not fit one to one."""
    if list(classes) == list(before):
        return ", head included"
    dropped = [name for name in before if name not in classes]
    return f"; {describe_head(classes, before, dropped)}"


def describe_head(
    classes: Sequence[str], known: Collection[str], dropped: Sequence[str] = ()
) -> str:
    """What became of the layers that name classes, each kind with its first 10 names.

    Args:
        classes: Class names of the network.
        known: Those whose weights were copied, and any others.
        dropped: Names that the network has not.
    """
    groups = {
        "head kept for": [name for name in classes if name in known],
        "begun anew for": [name for name in classes if name not in known],
        "dropped for": dropped,
    }
    parts = []
    for what, names in groups.items():
        if names:
            more = f" and {len(names) - _SHOWN} more" if names[_SHOWN:] else ""
            parts.append(f"{what} {', '.join(names[:_SHOWN])}{more}")
    return "; ".join(parts)
