"""Optimiser and learning-rate schedule from the configuration."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR

from osprey.config.schema import OptimizerConfig, SchedulerConfig


def parameter_groups(model: nn.Module, config: OptimizerConfig) -> list[dict[str, Any]]:
    """Parameters with their rates: no decay on biases and norms, less rate for earlier layers."""
    if config.layer_decay < 1.0:
        from timm.optim._param_groups import param_groups_layer_decay

        groups: list[dict[str, Any]] = param_groups_layer_decay(
            model, weight_decay=config.weight_decay, layer_decay=config.layer_decay
        )
        for group in groups:
            group["lr"] = config.lr * group.pop("lr_scale")
        return groups
    moving = [p for p in model.parameters() if p.requires_grad]
    return [
        {"params": [p for p in moving if p.ndim > 1], "weight_decay": config.weight_decay},
        {"params": [p for p in moving if p.ndim <= 1], "weight_decay": 0.0},
    ]


def make_optimizer(model: nn.Module, config: OptimizerConfig) -> Optimizer:
    """The optimiser over every parameter of ``model`` that may move."""
    groups = [group for group in parameter_groups(model, config) if group["params"]]
    if config.name == "sgd":
        momentum = config.momentum
        return torch.optim.SGD(groups, lr=config.lr, momentum=momentum, nesterov=momentum > 0)
    return torch.optim.AdamW(groups, lr=config.lr, betas=(config.momentum, 0.999))


def rate_at(config: SchedulerConfig, total: int) -> Callable[[int], float]:
    """Share of the peak rate at each of ``total`` steps: linear warm-up, then cosine or flat."""
    warm = round(config.warmup * total)

    def share(step: int) -> float:
        if step < warm:
            return (step + 1) / warm
        if config.name == "constant":
            return 1.0
        done = min(1.0, (step - warm) / max(1, total - warm))
        return config.final_ratio + (1 - config.final_ratio) * (1 + math.cos(math.pi * done)) / 2

    return share


def make_scheduler(optimizer: Optimizer, config: SchedulerConfig, total: int) -> LambdaLR:
    """The schedule, stepped once an optimiser step."""
    return LambdaLR(optimizer, rate_at(config, total))
