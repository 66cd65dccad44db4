"""Test-time augmentation: predictions averaged over mirrored and rotated views.

The views are made of the prepared input, so each is the exact mirror image of what the network
would have seen anyway, and no photo is decoded twice.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn


def views(images: Tensor, tta: str) -> list[Tensor]:
    """The views of each image that the network sees; the original comes first.

    Args:
        images: [N, 3, S, S].
        tta: ``none``, ``flip`` (and its mirror image) or ``dihedral`` (the four quarter turns of
            both).

    Returns:
        1, 2 or 8 tensors [N, 3, S, S].
    """
    if tta == "none":
        return [images]
    if tta == "flip":
        return [images, images.flip(3)]
    assert tta == "dihedral", tta
    return [view.rot90(k, (2, 3)) for view in (images, images.flip(3)) for k in range(4)]


def ask(model: nn.Module, images: Tensor, tta: str) -> Tensor:
    """Logits of every view.

    Args:
        model: Gives logits [N, C].
        images: float [N, 3, S, S].
        tta: See `views`.

    Returns:
        float32 [N, views, C].
    """
    shown = (view.contiguous(memory_format=torch.channels_last) for view in views(images, tta))
    return torch.stack([model(view).float() for view in shown], dim=1)


def merge_views(logits: Tensor, temperature: float) -> Tensor:
    """Logits whose softmax at ``temperature`` is the mean of the views' softmaxes at it.

    The temperature fitted without views still applies to the result.

    Args:
        logits: float [N, views, C].
        temperature: The checkpoint's.

    Returns:
        float [N, C]; with one view its logits, unchanged.
    """
    if logits.shape[1] == 1:
        return logits[:, 0]
    tempered = (logits / temperature).log_softmax(dim=2)
    mean = tempered.logsumexp(dim=1) - math.log(logits.shape[1])
    return temperature * mean
