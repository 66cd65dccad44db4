"""Weights of EfficientNet-Lite as packages name their layers, in timm's names."""

from __future__ import annotations

import re
from collections.abc import Mapping

import torch
from torch import Tensor

from osprey.models.spec import ModelSpec
from osprey.models.timm_models import build_timm

_OUTSIDE = {
    "_conv_stem": "conv_stem",
    "_bn0": "bn1",
    "_conv_head": "conv_head",
    "_bn1": "bn2",
    "_fc": "classifier",
}
_WIDENING = {
    "_expand_conv": "conv_pw",
    "_bn0": "bn1",
    "_depthwise_conv": "conv_dw",
    "_bn1": "bn2",
    "_project_conv": "conv_pwl",
    "_bn2": "bn3",
}
_PLAIN = {"_depthwise_conv": "conv_dw", "_bn1": "bn1", "_project_conv": "conv_pw", "_bn2": "bn2"}


def in_timms_names(state: Mapping[str, Tensor], spec: ModelSpec) -> dict[str, Tensor]:
    """The weights of a package by timm's names.

    Args:
        state: As the package's file holds them.
        spec: The timm model, one of those that `installed_weights` knows.

    Returns:
        The same tensors; a name of no such layer is kept as it is.
    """
    with torch.device("meta"):
        own = build_timm(spec, 1000).state_dict()
    stages = [re.match(r"(blocks\.\d+\.\d+)\.", key) for key in own]
    blocks = list(dict.fromkeys(found[1] for found in stages if found))
    widening = {key.split(".")[1] for key in state if "._expand_conv." in key}

    def renamed(key: str) -> str:
        if not key.startswith("_blocks."):
            layer, _, rest = key.partition(".")
            return f"{_OUTSIDE.get(layer, layer)}.{rest}"
        _, number, layer, rest = key.split(".", 3)
        names = _WIDENING if number in widening else _PLAIN
        block = blocks[int(number)] if int(number) < len(blocks) else f"_blocks.{number}"
        return f"{block}.{names.get(layer, layer)}.{rest}"

    return {renamed(key): value for key, value in state.items()}
