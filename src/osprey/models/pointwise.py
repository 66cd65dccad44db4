"""Strided 1x1 convolutions of few channels, rewritten so that a CPU can train them.

oneDNN's backward pass of such a layer writes past its buffer where pixels lie channels last and
the input channels do not fill a block, of eight with AVX2 and sixteen with AVX-512: the process
dies, or gradients are wrong
(github.com/uxlfoundation/oneDNN/issues/6035). RepVGG and MobileOne begin with one.
"""

from __future__ import annotations

from functools import partial

from torch import Tensor, nn

_BLOCK = 16  # input channels from which on oneDNN is right


def dense_strides(model: nn.Module) -> int:
    """Let every such layer subsample its input first and run with stride 1: the same numbers.

    Args:
        model: Changed in place; parameters and their names stay as they are.

    Returns:
        How many layers were changed.
    """
    changed = 0
    for layer in model.modules():
        if not isinstance(layer, nn.Conv2d) or layer.in_channels >= _BLOCK:
            continue
        plain = layer.kernel_size == (1, 1) and layer.padding == (0, 0)
        if plain and layer.stride != (1, 1):
            layer.register_forward_pre_hook(partial(_pick, layer.stride))
            layer.stride = (1, 1)
            changed += 1
    return changed


def _pick(stride: tuple[int, ...], layer: nn.Module, photos: tuple[Tensor]) -> Tensor:
    rows, columns = stride
    return photos[0][:, :, ::rows, ::columns]
