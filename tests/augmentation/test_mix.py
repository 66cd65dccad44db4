"""Batch mixes: soft targets tell exactly what the pixels show."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from osprey.augmentation import BatchMix
from osprey.errors import ConfigError

MAKERS: list[dict[str, Any]] = [
    {"mixup": 0.4},
    {"cutmix": 1.0},
    {"mixup": 0.2, "cutmix": 1.0, "erasing": 0.5},
]


def constant_images(batch: int, height: int, width: int) -> torch.Tensor:
    """Image i is filled with i + 1, so that every pixel tells whose it is."""
    levels = torch.arange(1, batch + 1, dtype=torch.float32)
    return levels[:, None, None, None].expand(batch, 3, height, width).clone()


@given(
    batch=st.integers(1, 9), height=st.integers(1, 40), width=st.integers(1, 40),
    classes=st.integers(1, 12), which=st.integers(0, len(MAKERS) - 1), seed=st.integers(0, 2**31),
)  # fmt: skip
@settings(max_examples=150, deadline=None)
def test_soft_targets_sum_to_one(
    batch: int, height: int, width: int, classes: int, which: int, seed: int
) -> None:
    torch.manual_seed(seed)
    images, targets = torch.randn(batch, 3, height, width), torch.randint(classes, (batch,))
    kept = images.clone()
    mixed, soft = BatchMix(num_classes=classes, **MAKERS[which])(images, targets)
    assert mixed.shape == images.shape
    assert mixed.dtype == images.dtype
    assert soft.shape == (batch, classes)
    assert soft.dtype == torch.float32
    assert (soft >= 0).all()
    torch.testing.assert_close(soft.sum(dim=1), torch.ones(batch))
    assert torch.equal(images, kept)


@given(height=st.integers(1, 50), width=st.integers(1, 50), seed=st.integers(0, 2**31))
@settings(max_examples=150, deadline=None)
def test_cutmix_targets_match_the_pasted_area(height: int, width: int, seed: int) -> None:
    torch.manual_seed(seed)
    images = constant_images(6, height, width)
    mixed, soft = BatchMix(num_classes=6, cutmix=1.0)(images, torch.arange(6))
    for image, row in zip(mixed, soft, strict=True):
        for owner in range(6):
            share = (image[0] == owner + 1).float().mean().item()
            assert row[owner].item() == pytest.approx(share, abs=1e-5)


@given(seed=st.integers(0, 2**31))
@settings(max_examples=50, deadline=None)
def test_mixup_targets_match_the_blend(seed: int) -> None:
    torch.manual_seed(seed)
    mixed, soft = BatchMix(num_classes=6, mixup=0.4)(constant_images(6, 4, 5), torch.arange(6))
    levels = soft @ torch.arange(1.0, 7.0)
    torch.testing.assert_close(mixed[:, 0, 0, 0], levels)
    assert (mixed == mixed[:, :1, :1, :1]).all()


def test_everything_off_is_one_hot_and_the_same_images() -> None:
    images, targets = torch.randn(4, 3, 8, 8), torch.tensor([0, 2, 1, 2])
    mixed, soft = BatchMix(num_classes=3)(images, targets)
    assert mixed is images
    assert soft.tolist() == [[1, 0, 0], [0, 0, 1], [0, 1, 0], [0, 0, 1]]
    mixed, soft = BatchMix(num_classes=3, mixup=1.0, probability=0.0)(images, targets)
    assert mixed is images
    assert soft.max(dim=1).values.tolist() == [1, 1, 1, 1]


def test_both_on_take_turns_and_probability_is_kept() -> None:
    torch.manual_seed(0)
    mix = BatchMix(num_classes=8, mixup=1.0, cutmix=1.0, probability=0.5)
    kinds = {"none": 0, "cutmix": 0, "mixup": 0}
    for _ in range(600):
        mixed, _soft = mix(constant_images(8, 16, 16), torch.arange(8))
        if torch.equal(mixed, constant_images(8, 16, 16)):
            kinds["none"] += 1
        else:
            kinds["cutmix" if torch.equal(mixed, mixed.round()) else "mixup"] += 1
    assert 230 < kinds["none"] < 370
    assert 100 < kinds["cutmix"] < 200
    assert 100 < kinds["mixup"] < 200


def test_erasing_rate_area_and_fill() -> None:
    torch.manual_seed(0)
    images = torch.ones(4000, 3, 32, 24)
    erased, soft = BatchMix(num_classes=2, erasing=0.25)(images, torch.zeros(4000).long())
    gone = erased == 0
    assert ((erased == 1) | gone).all()
    assert (gone == gone[:, :1]).all()
    share = gone[:, 0].float().mean(dim=(1, 2))
    hit = share > 0
    assert 0.22 < hit.float().mean().item() < 0.28
    assert share[hit].min().item() > 0.01
    assert share[hit].max().item() < 0.36
    assert 0.14 < share[hit].mean().item() < 0.19
    # One rectangle: as many pixels as rows touched times columns touched.
    rows, columns = gone[:, 0].any(dim=2).sum(dim=1), gone[:, 0].any(dim=1).sum(dim=1)
    assert torch.equal(rows * columns, gone[:, 0].sum(dim=(1, 2)))
    assert soft[:, 0].eq(1).all()


def test_erasing_reaches_every_pixel() -> None:
    torch.manual_seed(0)
    erased, _ = BatchMix(num_classes=2, erasing=1.0)(
        torch.ones(3000, 3, 20, 20), torch.zeros(3000).long()
    )
    heat = (erased[:, 0] == 0).float().mean(dim=0)
    assert heat.min().item() > 0.005
    torch.testing.assert_close(heat, heat.flip(0), atol=0.06, rtol=0)
    torch.testing.assert_close(heat, heat.flip(1), atol=0.06, rtol=0)


@pytest.mark.parametrize("settings_", MAKERS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_channels_last_and_dtype_are_kept(settings_: dict[str, Any], dtype: torch.dtype) -> None:
    images = torch.randn(4, 3, 16, 16, dtype=dtype).to(memory_format=torch.channels_last)
    mix = BatchMix(num_classes=3, **settings_)
    for seed in range(6):
        torch.manual_seed(seed)
        mixed, _ = mix(images, torch.tensor([0, 1, 2, 0]))
        assert mixed.is_contiguous(memory_format=torch.channels_last)
        assert mixed.dtype == dtype


def test_the_seed_decides() -> None:
    mix = BatchMix(num_classes=4, mixup=0.4, cutmix=1.0, erasing=0.5)
    images, targets = torch.randn(8, 3, 16, 16), torch.arange(8) % 4

    def run(seed: int) -> torch.Tensor:
        torch.manual_seed(seed)
        return mix(images, targets)[0]

    assert torch.equal(run(3), run(3))
    assert not torch.equal(run(3), run(4))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")
def test_a_gpu_mixes_as_the_cpu_does() -> None:
    mix = BatchMix(num_classes=4, mixup=0.4, cutmix=1.0, erasing=0.5)
    images, targets = torch.randn(8, 3, 16, 16), torch.arange(8) % 4
    for seed in range(8):
        torch.manual_seed(seed)
        here = mix(images, targets)
        torch.manual_seed(seed)
        there = mix(images.cuda(), targets.cuda())
        for one, other in zip(here, there, strict=True):
            assert other.is_cuda
            torch.testing.assert_close(other.cpu(), one)


@pytest.mark.parametrize(
    ("settings_", "message"),
    [
        ({"mixup": -1}, "augmentation: mixup must be 0 to 100, not -1"),
        ({"cutmix": float("nan")}, "augmentation: cutmix must be 0 to 100, not nan"),
        ({"probability": 1.5}, "augmentation: mix_probability must be 0 to 1, not 1.5"),
        ({"erasing": 2}, "augmentation: erasing must be 0 to 1, not 2"),
        ({"num_classes": 0}, "augmentation: num_classes must be 1 or more, not 0"),
    ],
)
def test_messages(settings_: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        BatchMix(**{"num_classes": 3, **settings_})
    assert str(caught.value) == message
