"""Networks of the user's own: any torch.nn.Module by its dotted import path."""

from __future__ import annotations

import inspect
from typing import Any

import torch
from torch import Tensor, nn

from osprey.errors import ConfigError
from osprey.models.spec import IMAGENET, InputSettings, ModelSpec
from osprey.system.instantiate import instantiate
from osprey.system.plugins import one_line
from osprey.system.trust import refuse_untrusted, targets_in

_SIZE = 224  # pixels a side, unless data.size is set


def is_foreign(spec: ModelSpec) -> bool:
    """Whether a network is built from a dotted import path, not by one of Osprey's factories."""
    return "." in spec.factory


def build_foreign(spec: ModelSpec, num_classes: int) -> nn.Module:
    """Build the user's own network; ``num_classes`` is passed if its signature accepts it.

    Args:
        spec: Its ``factory`` is a dotted import path, its ``options`` keyword arguments.
        num_classes: Number of outputs.

    Returns:
        The network, untrained.

    Raises:
        CheckpointError: The import path is neither Osprey's nor trusted by the command line or an
            installed plugin.
        ConfigError: It cannot be imported or built, or is not a torch.nn.Module.
    """
    refuse_untrusted("the model", [spec.factory, *targets_in(dict(spec.options))])
    node: dict[str, Any] = {"_target_": spec.factory, **spec.options}
    model: nn.Module = instantiate("model", node, nn.Module, {"num_classes": num_classes})
    return model


def is_foreign_detector(model: nn.Module) -> bool:
    """Whether a network can be trained by task=detection: it has ``losses(images, targets)``."""
    return inspect.ismethod(getattr(model, "losses", None))


def _check_boxes(spec: ModelSpec, answer: Any) -> None:
    """Check that a detector's output is one dictionary per photo."""
    keys = ("boxes", "scores", "labels")
    one = isinstance(answer, list) and len(answer) == 1 and isinstance(answer[0], dict)
    if not one or not all(isinstance(answer[0].get(key), Tensor) for key in keys):
        raise ConfigError(
            f"model._target_: '{spec.factory}' answers a {type(answer).__name__}, not a list with "
            "boxes, scores and labels of each photo (docs/extend.md)"
        )


def foreign_input(spec: ModelSpec) -> InputSettings:
    """The input most networks are made for.

    Args:
        spec: Not used: the user's own networks do not say.

    Returns:
        224 px, ImageNet's mean and std, a crop of 0.875.
    """
    return InputSettings(_SIZE, *IMAGENET, 0.875)


def check_foreign(spec: ModelSpec, num_classes: int, size: int) -> None:
    """Run the network on one grey photo (all zeros, normalised); the random state is unchanged.

    Args:
        spec: Description of the network.
        num_classes: Number of outputs it must have.
        size: Side of the photo in pixels.

    Raises:
        CheckpointError: The import path is not trusted.
        ConfigError: It fails, or its output is not a tensor [1, num_classes], or for a detector not
            a list with ``boxes``, ``scores`` and ``labels``.
    """
    with torch.random.fork_rng(devices=[]):
        model = build_foreign(spec, num_classes).eval()
        try:
            with torch.no_grad():
                answer: Any = model(torch.zeros(1, 3, size, size))
        except Exception as error:
            raise ConfigError(
                f"model._target_: '{spec.factory}' fails on a photo of {size} px: {one_line(error)}"
            ) from error
    if is_foreign_detector(model):
        _check_boxes(spec, answer)
        return
    if not isinstance(answer, Tensor):
        raise ConfigError(
            f"model._target_: '{spec.factory}' answers a {type(answer).__name__}, not a tensor of "
            f"[1, {num_classes}]"
        )
    if tuple(answer.shape) != (1, num_classes):
        raise ConfigError(
            f"model._target_: '{spec.factory}' answers {list(answer.shape)} for one photo of "
            f"{num_classes} classes, not [1, {num_classes}]: take num_classes as an argument"
        )
