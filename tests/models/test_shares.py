"""Losses of two processes add up to those of one, however their boxes are shared out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist
from test_detectors import small, target
from torch import Tensor
from torch.multiprocessing import spawn

from osprey.system.processes import alone

NAMES = ("fcos", "ssdlite", "retinanet")
ORDERS = {"each has boxes": [0, 1, 2, 3], "the second has none": [0, 2, 1, 3]}


def batch(order: str) -> tuple[Tensor, list[Any]]:
    """Four photos: three boxes, none, one, none, in one order or the other."""
    images = torch.randn(4, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    boxes = [(4, 6, 28, 30, 0), (34, 36, 58, 60, 1), (2, 30, 30, 60, 0)]
    targets = [target(*boxes), target(), target(boxes[1]), target()]
    return images[ORDERS[order]], [targets[number] for number in ORDERS[order]]


def losses(name: str, part: slice, order: str) -> dict[str, Tensor]:
    images, targets = batch(order)
    return small(name).eval().losses(images[part], targets[part])


def one_of_two(rank: int, folder: str, order: str) -> None:
    dist.init_process_group("gloo", f"file://{folder}/meet", rank=rank, world_size=2)
    found = {name: losses(name, slice(2 * rank, 2 * rank + 2), order) for name in NAMES}
    if rank:  # the other one asks for nothing meanwhile
        with alone():
            own = losses("fcos", slice(0, 4), order)
        torch.save({key: value.detach() for key, value in own.items()}, Path(folder, "alone.pt"))
    torch.save(
        {name: {k: v.detach() for k, v in parts.items()} for name, parts in found.items()},
        Path(folder, f"{rank}.pt"),
    )
    dist.destroy_process_group()


@pytest.fixture(scope="module", params=ORDERS)
def halves(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> tuple[str, list[dict[str, dict[str, Tensor]]]]:
    order: str = request.param
    folder = tmp_path_factory.mktemp("two")
    spawn(one_of_two, (str(folder), order), nprocs=2)
    expected = losses("fcos", slice(0, 4), order)
    for key, value in torch.load(folder / "alone.pt", weights_only=True).items():
        torch.testing.assert_close(value, expected[key].detach())
    return order, [torch.load(folder / f"{rank}.pt", weights_only=True) for rank in (0, 1)]


@pytest.mark.parametrize("name", NAMES)
def test_the_mean_of_two_is_that_of_one(
    name: str, halves: tuple[str, list[dict[str, dict[str, Tensor]]]]
) -> None:
    order, (one, other) = halves
    whole = losses(name, slice(0, 4), order)
    assert set(whole) == set(one[name])
    for key, value in whole.items():
        mean = (one[name][key] + other[name][key]) / 2
        torch.testing.assert_close(mean, value.detach(), rtol=1e-4, atol=1e-6)
