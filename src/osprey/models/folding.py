"""Fold BatchNorm in evaluation mode into the convolution before it, which saves its pass.

With fixed statistics, BatchNorm is a scale and a shift of each channel, and a convolution's
output is linear in its weights: scaling those few weights instead of all pixels gives the same
numbers and the same gradients. A third of MobileNetV2's time on a CPU went into those passes.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from types import MethodType
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d

from osprey.models.traits import traits_of

_SIDE = 96  # pixels of the photo watched on its way
_TOLERANCE = 1e-3  # of the largest output: far above rounding, far below a pair wrongly folded


def fold_batchnorm(model: nn.Module) -> int:
    """Fold each BatchNorm that follows a convolution, whenever it is in evaluation mode.

    Parameters, their names and the state dict are unchanged; in training mode (statistics updated)
    nothing changes. Pairs are found with hooks while one photo of 96 px is run; if the folded
    network then gives other outputs, or cannot take that photo, folding is undone.

    Args:
        model: Any network on the CPU, changed in place.

    Returns:
        How many pairs were folded; 0 also where folding was undone.
    """
    if not any(_is_plain_norm(module) for module in model.modules()):
        return 0
    modes = {module: module.training for module in model.modules()}
    photo = torch.linspace(-2, 2, 3 * _SIDE**2, dtype=next(model.parameters()).dtype)
    photo = photo.view(1, 3, _SIDE, _SIDE)
    model.eval()
    ask = traits_of(model).raw
    try:
        with torch.no_grad():
            pairs, before = _watch(model, ask, photo)
            for conv, norm in pairs:
                _fold(conv, norm)
            off = float((ask(photo) - before).abs().max()) / float(before.abs().max())
    except (RuntimeError, AssertionError, ValueError):  # a network made for one size alone
        off = math.inf
        pairs = []
    if not off <= _TOLERANCE:
        unfold_batchnorm(model)
        pairs = []
    for module, mode in modes.items():
        module.training = mode
    return len(pairs)


def unfold_batchnorm(model: nn.Module) -> None:
    """Undo `fold_batchnorm`.

    Args:
        model: Changed in place; networks that were not folded are left alone.
    """
    for module in model.modules():
        if "folded_with" in module.__dict__:
            del module.__dict__["folded_with"], module.__dict__["forward"]


def _watch(
    model: nn.Module, ask: Callable[[Tensor], Tensor], photo: Tensor
) -> tuple[list[tuple[nn.Module, nn.BatchNorm2d]], Tensor]:
    """Convolutions whose output, the very object, is what a BatchNorm takes in; the answer."""
    made: dict[int, tuple[nn.Module, Tensor]] = {}  # holds the tensors, so that no id comes twice
    pairs: list[tuple[nn.Module, nn.BatchNorm2d]] = []

    def note(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        if isinstance(module, nn.Conv2d):
            made[id(output)] = (module, output)
        elif id(inputs[0]) in made:
            pairs.append((made[id(inputs[0])][0], cast(nn.BatchNorm2d, module)))

    watched = [m for m in model.modules() if _is_plain_conv(m) or _is_plain_norm(m)]
    hooks = [module.register_forward_hook(note) for module in watched]
    try:
        answer = ask(photo)
    finally:
        for hook in hooks:
            hook.remove()
    once = [conv for conv, _ in pairs]
    return [(c, n) for c, n in pairs if once.count(c) == 1], answer


def _is_plain_conv(module: nn.Module) -> bool:
    """The two kinds whose arithmetic is known here; subclasses may do anything."""
    known = type(module) is nn.Conv2d or _is_timms(module, "Conv2dSame")
    return known and cast(nn.Conv2d, module).padding_mode == "zeros"


def _is_plain_norm(module: nn.Module) -> bool:
    known = type(module) is nn.BatchNorm2d or _is_timms(module, "BatchNormAct2d")
    return known and cast(nn.BatchNorm2d, module).running_var is not None


def _is_timms(module: nn.Module, name: str) -> bool:
    """Asked by name: to import timm takes seconds that other networks need not wait for."""
    kind = type(module)
    return kind.__name__ == name and kind.__module__.startswith("timm.layers.")


def _fold(conv: nn.Module, norm: nn.BatchNorm2d) -> None:
    # Not set as attributes: a module held by another would appear twice in the state dict.
    conv.__dict__["folded_with"] = (norm,)
    norm.__dict__["folded_with"] = (conv,)
    conv.__dict__["forward"] = MethodType(_conv_forward, conv)
    norm.__dict__["forward"] = MethodType(_norm_forward, norm)


def _conv_forward(self: nn.Conv2d, images: Tensor) -> Tensor:
    norm = cast(nn.BatchNorm2d, self.__dict__["folded_with"][0])
    if norm.training:
        return type(self).forward(self, images)
    assert norm.running_var is not None and norm.running_mean is not None
    scale = torch.rsqrt(norm.running_var + norm.eps)
    shift = -norm.running_mean * scale
    if norm.affine:
        scale, shift = scale * norm.weight, shift * norm.weight + norm.bias
    if self.bias is not None:
        shift = shift + scale * self.bias
    weight = self.weight * scale.view(-1, 1, 1, 1)
    if type(self) is nn.Conv2d:
        return cast(Tensor, self._conv_forward(images, weight, shift))
    from timm.layers.padding import pad_same

    padded: Tensor = pad_same(images, self.kernel_size, self.stride, self.dilation)  # type: ignore[arg-type]
    result: Tensor = conv2d(padded, weight, shift, self.stride, 0, self.dilation, self.groups)
    return result


def _norm_forward(self: Any, values: Tensor) -> Tensor:
    if self.training:
        return cast(Tensor, type(self).forward(self, values))
    if type(self) is nn.BatchNorm2d:
        return values
    return cast(Tensor, self.act(self.drop(values)))  # timm's, with its activation
