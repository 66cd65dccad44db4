"""Mixes of whole batches, on the device the batch is on."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

from osprey.errors import ConfigError

_ERASED_AREA = (0.02, 0.33)
_ERASED_ASPECT = (0.3, 3.3)


# torchvision.transforms.v2 has MixUp and CutMix, which stay unused: they pair each image with its
# neighbour in the batch (ours with any), have neither a share of batches that are mixed nor erasing
# beside them, and draw other random numbers, so that seeded runs of before would not be repeated.


class BatchMix:
    """MixUp, CutMix and random erasing with soft targets.

    MixUp after Zhang et al. 2018 (arXiv:1710.09412), CutMix after Yun et al. 2019
    (arXiv:1905.04899), erasing after Zhong et al. 2020 (arXiv:1708.04896). Random numbers come
    from torch's global CPU generator, so a seed gives the same mix on any device.

    Args:
        num_classes: Width of the soft targets.
        mixup: Alpha of MixUp's Beta distribution; 0 turns it off.
        cutmix: Alpha of CutMix's Beta distribution; 0 turns it off. With both on, each batch uses
            either with equal probability.
        probability: Fraction of batches that are mixed, 0 to 1.
        erasing: Fraction of images with one rectangle erased, 0 to 1.

    Raises:
        ConfigError: A setting is out of range.
    """

    def __init__(
        self,
        *,
        num_classes: int,
        mixup: float = 0.0,
        cutmix: float = 0.0,
        probability: float = 1.0,
        erasing: float = 0.0,
    ) -> None:
        if num_classes < 1:
            raise ConfigError(f"augmentation: num_classes must be 1 or more, not {num_classes!r}")
        for name, value, high in (
            ("mixup", mixup, 100.0),
            ("cutmix", cutmix, 100.0),
            ("mix_probability", probability, 1.0),
            ("erasing", erasing, 1.0),
        ):
            if not 0 <= value <= high:
                raise ConfigError(f"augmentation: {name} must be 0 to {high:g}, not {value!r}")
        self._num_classes = num_classes
        self._mixup = float(mixup)
        self._cutmix = float(cutmix)
        self._probability = float(probability)
        self._erasing = float(erasing)

    def __call__(self, images: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """Mix one batch.

        Args:
            images: Floating point [B, 3, H, W], normalised (zero is the mean), any memory format.
            targets: int64 [B], class ids.

        Returns:
            Images of the same shape, dtype, device and memory format, and float32 [B, num_classes]
            targets whose rows sum to 1. The inputs are not modified.
        """
        soft = functional.one_hot(targets, self._num_classes).to(torch.float32)
        if (self._mixup or self._cutmix) and torch.rand(()).item() < self._probability:
            images, soft = self._mix(images, soft)
        if self._erasing:
            images = _erase(images, self._erasing)
        return images, soft

    def _mix(self, images: Tensor, soft: Tensor) -> tuple[Tensor, Tensor]:
        cut = self._cutmix > 0 and (self._mixup == 0 or torch.rand(()).item() < 0.5)
        alpha = self._cutmix if cut else self._mixup
        keep = float(torch.distributions.Beta(alpha, alpha).sample())
        partner = torch.randperm(len(images)).to(images.device, non_blocking=True)
        if cut:
            images, keep = _paste(images, partner, keep)
        else:
            images = images * keep + images[partner] * (1.0 - keep)
        return images, soft * keep + soft[partner] * (1.0 - keep)


def _paste(images: Tensor, partner: Tensor, keep: float) -> tuple[Tensor, float]:
    """Paste one box of the partners; return the share kept, counted in pixels after clipping."""
    height, width = images.shape[-2:]
    side = math.sqrt(1.0 - keep)
    across, down = torch.rand(2).tolist()
    top, bottom = _span(down * height, side * height, height)
    left, right = _span(across * width, side * width, width)
    mixed = images.clone()
    mixed[..., top:bottom, left:right] = images[..., top:bottom, left:right][partner]
    return mixed, 1.0 - (bottom - top) * (right - left) / (height * width)


def _span(centre: float, length: float, limit: int) -> tuple[int, int]:
    low, high = round(centre - length / 2), round(centre + length / 2)
    return max(low, 0), min(high, limit)


def _erase(images: Tensor, share: float) -> Tensor:
    """Set one rectangle to zero in a random ``share`` of the images."""
    count, _, height, width = images.shape
    chosen, size, shape, down, across = torch.rand(5, count)
    low, high = _ERASED_AREA
    area = (low + (high - low) * size) * height * width
    narrow, wide = (math.log(bound) for bound in _ERASED_ASPECT)
    aspect = torch.exp(narrow + (wide - narrow) * shape)
    # A rectangle longer than the image is clipped where the paper would draw again.
    tall = torch.sqrt(area * aspect).round().clamp(1, height)
    broad = torch.sqrt(area / aspect).round().clamp(1, width)
    tall = torch.where(chosen < share, tall, 0.0)
    top = (down * (height - tall + 1)).floor()
    left = (across * (width - broad + 1)).floor()
    edges = torch.stack([top, top + tall, left, left + broad])
    first, last, start, end = edges.to(images.device, non_blocking=True)[:, :, None]
    rows = torch.arange(height, device=images.device)
    columns = torch.arange(width, device=images.device)
    inside_rows = (rows >= first) & (rows < last)
    inside_columns = (columns >= start) & (columns < end)
    mask = inside_rows[:, None, :, None] & inside_columns[:, None, None, :]
    # A clone keeps the memory format, which masked_fill with a broadcast mask does not.
    return images.clone().masked_fill_(mask, 0.0)
