"""Networks of the user's own: any torch.nn.Module that a dotted name leads to."""

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

_SIZE = 224  # pixels a side, where data.size says nothing


def is_foreign(spec: ModelSpec) -> bool:
    """Whether a network is made by a dotted name, and not by one of Osprey's factories."""
    return "." in spec.factory


def build_foreign(spec: ModelSpec, num_classes: int) -> nn.Module:
    """Make the network; ``num_classes`` is given where its signature takes it.

    Raises:
        CheckpointError: It is not Osprey's, and nothing on this command line trusts it.
        ConfigError: It cannot be imported or made, or is no torch.nn.Module.
    """
    refuse_untrusted("the model", [spec.factory, *targets_in(dict(spec.options))])
    node: dict[str, Any] = {"_target_": spec.factory, **spec.options}
    model: nn.Module = instantiate("model", node, nn.Module, {"num_classes": num_classes})
    return model


def is_foreign_detector(model: nn.Module) -> bool:
    """Whether a network has what task=detection trains: a method ``losses(images, targets)``."""
    return inspect.ismethod(getattr(model, "losses", None))


def _check_boxes(spec: ModelSpec, answer: Any) -> None:
    """Refuse a detector whose answer is not one dictionary a photo."""
    keys = ("boxes", "scores", "labels")
    one = isinstance(answer, list) and len(answer) == 1 and isinstance(answer[0], dict)
    if not one or not all(isinstance(answer[0].get(key), Tensor) for key in keys):
        raise ConfigError(
            f"model._target_: '{spec.factory}' answers a {type(answer).__name__}, not a list with "
            "boxes, scores and labels of each photo (docs/extend.md)"
        )


def foreign_input(spec: ModelSpec) -> InputSettings:
    """224 px and ImageNet's mean and std: what most networks are made for."""
    return InputSettings(_SIZE, *IMAGENET, 0.875)


def check_foreign(spec: ModelSpec, num_classes: int, size: int) -> None:
    """Ask the network about one grey photo; random numbers drawn later are as without it.

    Raises:
        ConfigError: It fails, or its answer is not one number a class, or of a detector not boxes.
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
