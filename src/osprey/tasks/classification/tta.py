"""Test-time augmentation: a photo is shown mirrored, or also turned, and the answers averaged.

The views are made of the prepared input, so each is the exact mirror image of what the network
would have seen anyway, and no photo is decoded twice.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn


def views(images: Tensor, tta: str) -> list[Tensor]:
    """What the network is shown of each photo; the photo as it is comes first.

    Args:
        images: [N, 3, S, S].
        tta: ``none``, ``flip`` (and its mirror image) or ``dihedral`` (the four quarter turns of
            both).
    """
    if tta == "none":
        return [images]
    if tta == "flip":
        return [images, images.flip(3)]
    assert tta == "dihedral", tta
    return [view.rot90(k, (2, 3)) for view in (images, images.flip(3)) for k in range(4)]


def ask(model: nn.Module, images: Tensor, tta: str) -> Tensor:
    """Logits float32 [N, views, C] for each view of images [N, 3, S, S]."""
    shown = (view.contiguous(memory_format=torch.channels_last) for view in views(images, tta))
    return torch.stack([model(view).float() for view in shown], dim=1)


def merge_views(logits: Tensor, temperature: float) -> Tensor:
    """One row a photo whose tempered softmax is the mean of its views' tempered softmaxes.

    The temperature fitted without views still divides the result, like any network's logits.

    Args:
        logits: float [N, views, C].
        temperature: The checkpoint's own.

    Returns:
        float [N, C]; with one view its logits, unchanged.
    """
    if logits.shape[1] == 1:
        return logits[:, 0]
    tempered = (logits / temperature).log_softmax(dim=2)
    mean = tempered.logsumexp(dim=1) - math.log(logits.shape[1])
    return temperature * mean
