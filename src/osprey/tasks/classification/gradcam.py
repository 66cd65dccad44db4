"""Grad-CAM (Selvaraju et al. 2017): which regions of a photo support the predicted class."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from osprey.models.registry import Classifier


def grad_cam(model: nn.Module, images: Tensor, classes: Tensor) -> NDArray[np.float32] | None:
    """Compute Grad-CAM on the last feature maps.

    Args:
        model: A network in eval mode; its parameters should not require gradients.
        images: float [B, 3, H, W], normalised.
        classes: int64 [B], the class to explain for each image.

    Returns:
        float32 [B, h, w] in 0..1, each map scaled to its own maximum (all 0 where no location has a
        positive contribution); None for a network whose features are not maps.
    """
    with torch.enable_grad():
        found = _features_and_logits(model, images)
        if found is None:
            return None
        features, logits = found
        chosen = logits.float().gather(1, classes[:, None]).sum()
        (gradients,) = torch.autograd.grad(chosen, features, allow_unused=True)
    maps = None if gradients is None else _as_maps(model, features.detach())
    if maps is None:
        return None
    weights = cast(Tensor, _as_maps(model, gradients)).mean(dim=(2, 3), keepdim=True)
    cam = (weights * maps).sum(dim=1).relu()
    cam = cam / cam.amax(dim=(1, 2), keepdim=True).clamp_min(1e-12)
    return cast("NDArray[np.float32]", cam.float().cpu().numpy())


def _features_and_logits(model: nn.Module, images: Tensor) -> tuple[Tensor, Tensor] | None:
    """Feature maps or tokens that ask for gradients, and the logits computed from them."""
    layer = _last_attention(model)
    if layer is None:
        if not hasattr(model, "forward_features"):
            return None
        network = cast(Classifier, model)
        with torch.no_grad():
            features: Any = network.forward_features(images)
        if not isinstance(features, Tensor):
            return None
        features.requires_grad_()
        return features, network.forward_head(features.clone())
    # A transformer's head may read one token only, so gradients are taken before the last block
    # mixes the tokens.
    kept: list[Tensor] = []

    def keep(_: nn.Module, __: Any, output: Tensor) -> Tensor:
        kept.append(output.detach().requires_grad_())
        return kept[0].clone()

    handle = layer.register_forward_hook(keep)
    try:
        logits = model(images)
    finally:
        handle.remove()
    return kept[0], logits


def _last_attention(model: nn.Module) -> nn.Module | None:
    """The norm before the last block of a plain vision transformer."""
    blocks = getattr(model, "blocks", None)
    if not hasattr(model, "num_prefix_tokens") or not isinstance(blocks, nn.Sequential):
        return None
    norm = getattr(blocks[-1], "norm1", None)
    return norm if isinstance(norm, nn.Module) else None


def _as_maps(model: nn.Module, features: Tensor) -> Tensor | None:
    """Maps [B, C, h, w] of feature maps in either order, or of a square grid of tokens."""
    if features.ndim == 4:
        last = getattr(model, "output_fmt", "NCHW") == "NHWC"
        return features.permute(0, 3, 1, 2) if last else features
    if features.ndim != 3:
        return None
    tokens = features[:, int(getattr(model, "num_prefix_tokens", 0)) :]
    side = round(tokens.shape[1] ** 0.5)
    if side * side != tokens.shape[1] or side < 2:
        return None
    return tokens.transpose(1, 2).reshape(len(tokens), -1, side, side)
