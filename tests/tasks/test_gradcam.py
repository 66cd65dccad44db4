"""Grad-CAM: bright where the network looked, and silent where there is nothing to show."""

from __future__ import annotations

import numpy as np
import pytest
import timm
import torch
from torch import Tensor, nn

from osprey.tasks.classification.gradcam import grad_cam


class Looks(nn.Module):
    """Class 1 speaks up for bright pixels, class 0 for dark ones; features are 4 x 4 maps."""

    def __init__(self, *, channels_last: bool = False) -> None:
        super().__init__()
        self.output_fmt = "NHWC" if channels_last else "NCHW"

    def forward_features(self, images: Tensor) -> Tensor:
        light = nn.functional.avg_pool2d(images, images.shape[-1] // 4).mean(1, keepdim=True)
        maps = torch.cat([1 - light, light], dim=1)
        return maps.permute(0, 2, 3, 1) if self.output_fmt == "NHWC" else maps

    def forward_head(self, features: Tensor, pre_logits: bool = False) -> Tensor:
        seen = features.mean((1, 2)) if self.output_fmt == "NHWC" else features.mean((2, 3))
        return seen - seen.flip(1)  # what speaks for one class speaks against the other


@pytest.mark.parametrize("channels_last", [False, True])
def test_the_map_s_maximum_lies_on_what_was_seen(channels_last: bool) -> None:
    images = torch.zeros(2, 3, 32, 32)
    images[0, :, 0:8, 24:32] = 1.0
    images[1, :, 16:24, 8:16] = 1.0
    cam = grad_cam(Looks(channels_last=channels_last), images, torch.tensor([1, 1]))
    assert cam is not None and cam.shape == (2, 4, 4)
    assert [np.unravel_index(c.argmax(), c.shape) for c in cam] == [(0, 3), (2, 1)]
    assert cam.max() == 1 and cam.min() >= 0
    other = grad_cam(Looks(), images, torch.tensor([0, 0]))
    assert other is not None and other[0, 0, 3] == 0, "the other class saw the rest"


def test_a_transformer_s_tokens_become_a_grid() -> None:
    torch.manual_seed(0)
    model = timm.create_model("vit_tiny_patch16_224", img_size=64, depth=2, num_classes=3).eval()
    cam = grad_cam(model.requires_grad_(False), torch.randn(2, 3, 64, 64), torch.tensor([0, 2]))
    assert cam is not None and cam.shape == (2, 4, 4)
    assert (cam.reshape(2, -1).max(1) == 1).all(), "a class token gives gradients to the others"


def test_no_maps_no_picture() -> None:
    class Flat(Looks):
        def forward_features(self, images: Tensor) -> Tensor:
            return images.mean((2, 3))

        def forward_head(self, features: Tensor, pre_logits: bool = False) -> Tensor:
            return features

    images = torch.zeros(1, 3, 8, 8)
    assert grad_cam(Flat(), images, torch.tensor([0])) is None
    assert grad_cam(nn.Flatten(), images, torch.tensor([0])) is None
