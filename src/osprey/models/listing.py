"""Which models there are, and what one forward pass of each costs."""

from __future__ import annotations

import fnmatch
from dataclasses import dataclass

import torch
from torch.utils.flop_counter import FlopCounterMode

from osprey.models.detection.spec import WHOLE
from osprey.models.registry import ModelSpec, build, input_settings
from osprey.models.traits import traits_of


@dataclass(frozen=True)
class Cost:
    """Parameters, multiply-accumulates of one image, and the side in pixels they apply to."""

    parameters: int
    macs: int
    size: int


def list_models(pattern: str) -> list[str]:
    """Names of the models that match a shell pattern.

    Args:
        pattern: Such as ``resnet*``; empty for the models with a config file of their own.

    Returns:
        Names, those of Osprey and torchvision before timm's.
    """
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
    """Count parameters and operations on the meta device: no memory and no arithmetic.

    The head has as many classes as common pretrained weights: 1,000, and 80 for detectors.

    Args:
        name: A name that `list_models` gives.

    Returns:
        The cost of one image at the model's own input size.

    Raises:
        ConfigError: There is no model of this name.
    """
    num_classes = 80 if name in WHOLE else 1000
    factory = "simple_cnn" if name == "simple_cnn" else "timm"
    spec = ModelSpec("detector" if name in WHOLE else factory, name, {})
    settings = input_settings(spec)
    with torch.device("meta"):
        model = build(spec, num_classes).eval()
        images = torch.empty(1, 3, settings.size, settings.size)
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        traits_of(model).run_layers(images)
    parameters = sum(p.numel() for p in model.parameters())
    return Cost(parameters, counter.get_total_flops() // 2, settings.size)
