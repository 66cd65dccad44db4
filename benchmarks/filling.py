"""What it gives that deterministic kernels get memory that is not filled first: training steps.

EfficientNet-Lite0 with FCOS at 320 px in batches of 4, as ``experiment=detect`` chooses, and
MobileNetV2 at 224 px in batches of 32; on a CPU, one way and the other in turns.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import torch
from common import Row, finish, row

from osprey.models.detection.build import create_detector
from osprey.system.allocator import keep_freed_memory
from osprey.system.kernels import choose_kernels

STEPS, TURNS = 5, 6
LAYOUT: Any = torch.channels_last


def detector() -> Callable[[], torch.Tensor]:
    network = create_detector("fcos", 3, backbone="tf_efficientnet_lite0", width=64, levels=3)
    network = network.to(memory_format=LAYOUT).train()
    images = torch.rand(4, 3, 320, 320).to(memory_format=LAYOUT)
    corners = torch.rand(13, 2) * 250
    boxes = torch.cat([corners, corners + 20 + 45 * torch.rand(13, 2)], dim=1)
    targets: list[Any] = [{"boxes": boxes, "labels": torch.randint(3, (13,))}] * 4
    return lambda: torch.stack(list(network.losses(images, targets).values())).sum()


def classifier() -> Callable[[], torch.Tensor]:
    import timm

    network = timm.create_model("mobilenetv2_100").to(memory_format=LAYOUT).train()
    images = torch.rand(32, 3, 224, 224).to(memory_format=LAYOUT)
    return lambda: network(images).sum()


def seconds(loss: Callable[[], torch.Tensor], filled: bool) -> float:
    """Seconds of some steps."""
    torch.utils.deterministic.fill_uninitialized_memory = filled  # type: ignore[attr-defined]
    started = time.perf_counter()
    for _ in range(STEPS):
        loss().backward()
    return time.perf_counter() - started


def main() -> list[Row]:
    keep_freed_memory()
    choose_kernels(True)
    rows = []
    for what, make in (("a detector's training", detector), ("a classifier's", classifier)):
        loss = make()
        seconds(loss, False)
        ratios = [seconds(loss, True) / seconds(loss, False) for _ in range(TURNS)]
        rows.append(row(f"memory not filled first, {what}", ratios, "x", goal=1.0))
    return rows


if __name__ == "__main__":
    finish(main())
