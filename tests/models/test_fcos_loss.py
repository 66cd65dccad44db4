"""FCOS learns from boxes, not from places: a small box weighs as much as a large one."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from test_detectors import target
from torch import Tensor
from torchvision.models.detection.fcos import FCOSHead

from osprey.models.detection.fcos_head import EvenFCOSHead

SIDE = 8  # the stride of 6 x 6 places
BACKGROUND = -1


def points() -> Tensor:
    middles = torch.cartesian_prod(torch.arange(6), torch.arange(6)) * SIDE + SIDE / 2
    return torch.cat([middles - SIDE / 2, middles + SIDE / 2], dim=1)


def outputs(photos: int, seed: int = 0) -> dict[str, Tensor]:
    draw = torch.Generator().manual_seed(seed)
    shapes = {"cls_logits": 2, "bbox_regression": 4, "bbox_ctrness": 1}
    found = {name: torch.randn(photos, 36, last, generator=draw) for name, last in shapes.items()}
    found["bbox_regression"] = found["bbox_regression"].abs()
    return {name: values.requires_grad_() for name, values in found.items()}


def matched(*owners: list[int]) -> list[Tensor]:
    """Per photo, the box of each of its first places."""
    return [torch.tensor(own + [BACKGROUND] * (36 - len(own))) for own in owners]


def head(kind: type[FCOSHead]) -> FCOSHead:
    return kind(32, 1, 2, 1)


def inside() -> tuple[float, ...]:
    """A box that holds each of the places."""
    return (-4.0, -4.0, 60.0, 60.0)


@settings(max_examples=25, deadline=None)
@given(places=st.integers(1, 6), boxes=st.integers(1, 6), seed=st.integers(0, 99))
def test_boxes_of_as_many_places_lose_what_torchvision_says(
    places: int, boxes: int, seed: int
) -> None:
    targets = [target(*[(*inside(), row % 2) for row in range(boxes)])]
    owners = matched([row for row in range(boxes) for _ in range(places)])
    ours, theirs = (
        head(kind).compute_loss(targets, outputs(1, seed), [points()], owners)
        for kind in (EvenFCOSHead, FCOSHead)
    )
    assert set(ours) == set(theirs)
    for name, value in theirs.items():
        torch.testing.assert_close(ours[name], value, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("name", ["bbox_regression", "bbox_ctrness", "cls_logits"])
def test_a_box_of_one_place_pulls_as_much_as_one_of_nine(name: str) -> None:
    targets = [target((*inside(), 0), (*inside(), 0))]
    found = outputs(1)
    with torch.no_grad():  # every place answers alike
        for values in found.values():
            values[:] = values[:, :1]
    middle = points()[14:15].expand(36, 4)  # and lies alike
    owners = matched([0] * 9 + [1])
    losses = head(EvenFCOSHead).compute_loss(targets, found, [middle], owners)
    sum(losses.values()).backward()  # type: ignore[union-attr]
    pulls = found[name].grad[0, :, 0]  # type: ignore[index]
    torch.testing.assert_close(pulls[:9].sum(), pulls[9])
    assert pulls[9] != 0


def test_photos_without_boxes_teach_the_background() -> None:
    found = outputs(2)
    owners = matched([], [])
    losses = head(EvenFCOSHead).compute_loss([target(), target()], found, [points()] * 2, owners)
    assert losses["classification"] > 0
    assert losses["bbox_regression"] == losses["bbox_ctrness"] == 0
    sum(losses.values()).backward()  # type: ignore[union-attr]
    assert found["cls_logits"].grad is not None
