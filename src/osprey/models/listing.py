"""Which models there are, and what one forward pass of each costs."""

from __future__ import annotations

import fnmatch
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from osprey.models.detection.detector import Detector
from osprey.models.detection.spec import WHOLE
from osprey.models.registry import ModelSpec, build, input_settings


@dataclass(frozen=True)
class Cost:
    """Parameters, multiply-accumulates of one image, and the side in pixels they hold for."""

    parameters: int
    macs: int
    size: int


def list_models(pattern: str) -> list[str]:
    """Names matching a shell pattern; without a pattern, those with a config file of their own."""
    import timm

    names = ["simple_cnn", *WHOLE, *timm.list_models()]
    if not pattern:
        return [
            "simple_cnn",
            *("resnet18", "resnet50", "mobilenetv2_100", "mobilenetv3_small_100"),
            *("mobilenetv3_large_100", "efficientnet_b0", "inception_v3", "convnext_tiny"),
            "vit_small_patch16_224",
            *WHOLE,
        ]
    return fnmatch.filter(names, pattern)


def measure(name: str) -> Cost:
    """Count on the meta device: shapes only, no memory and no arithmetic.

    With as many classes as the weights in common use have: 1,000, and 80 for detectors.
    """
    num_classes = 80 if name in WHOLE else 1000
    factory = "simple_cnn" if name == "simple_cnn" else "timm"
    spec = ModelSpec("detector" if name in WHOLE else factory, name, {})
    settings = input_settings(spec)
    with torch.device("meta"):
        model = build(spec, num_classes).eval()
        images = torch.empty(1, 3, settings.size, settings.size)
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        _pass(model, images)
    parameters = sum(p.numel() for p in model.parameters())
    return Cost(parameters, counter.get_total_flops() // 2, settings.size)


def _pass(model: nn.Module, images: Tensor) -> None:
    """All of a network's layers; of one that looks twice, at as many places as it would."""
    if not isinstance(model, Detector):
        model(images)
        return
    network = cast(Any, model.network)
    if not hasattr(network, "roi_heads"):
        model.raw(images)
    else:
        side = network.roi_heads.box_roi_pool.output_size
        places = torch.empty(
            network.rpn.post_nms_top_n(), network.backbone.out_channels, *side, device="meta"
        )
        network.rpn.head(list(network.backbone(images).values()))
        network.roi_heads.box_predictor(network.roi_heads.box_head(places))
