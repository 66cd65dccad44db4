"""A folded BatchNorm computes what it computed before, and learns what it learnt before."""

from __future__ import annotations

import copy

import pytest
import timm
import torch
from torch import Tensor, nn

from osprey.models.folding import fold_batchnorm
from osprey.models.simple_cnn import SimpleCNN


def unsettled(model: nn.Module) -> nn.Module:
    """Statistics and scales as training leaves them, not as they begin."""
    torch.manual_seed(0)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)  # type: ignore[union-attr]
            module.running_var.uniform_(0.5, 2)  # type: ignore[union-attr]
            if module.affine:
                nn.init.uniform_(module.weight, 0.5, 1.5)
                nn.init.normal_(module.bias, 0, 0.1)
    return model.double()


class Twice(nn.Module):
    """A convolution whose output goes two ways: folding it would change one of them."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)

    def forward(self, images: Tensor) -> Tensor:
        values = self.conv(images)
        return self.norm(values).mean((2, 3)) + values.mean((2, 3))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "pairs"),
    [
        (SimpleCNN(5, width=4), 4),
        (timm.create_model("resnet10t", num_classes=5), 14),
        (timm.create_model("mobilenetv3_small_050", num_classes=5), 34),
        (timm.create_model("mobilenetv2_035", pad_type="same", num_classes=5), 52),
        (timm.create_model("vit_tiny_patch16_224", num_classes=5), 0),
    ],
    ids=["simple_cnn", "resnet", "mobilenetv3", "same-padding", "no-batchnorm"],
)
def test_same_outputs_gradients_and_names(model: nn.Module, pairs: int) -> None:
    plain = unsettled(model)
    folded = copy.deepcopy(plain)
    assert fold_batchnorm(folded) == pairs
    twin = copy.deepcopy(folded)  # as averaging makes one
    assert list(twin.state_dict()) == list(plain.state_dict())
    side = 224 if pairs == 0 else 64
    images = torch.randn(2, 3, side, side, dtype=torch.double)
    for mode in (False, True):
        for network in (plain, twin):
            torch.manual_seed(1)  # dropout
            network.train(mode).zero_grad()
            network(images).square().sum().backward()
        torch.manual_seed(1)
        before = plain(images)
        torch.manual_seed(1)
        torch.testing.assert_close(twin(images), before, rtol=1e-9, atol=1e-9)
        for (name, a), b in zip(plain.named_parameters(), twin.parameters(), strict=True):
            assert torch.allclose(a.grad, b.grad, rtol=1e-6, atol=1e-8), name  # type: ignore[arg-type]
    torch.testing.assert_close(twin.state_dict(), plain.state_dict())


def test_a_twin_is_folded_with_its_own_statistics() -> None:
    first = SimpleCNN(3, width=4)
    fold_batchnorm(first)
    second = copy.deepcopy(first).eval()
    images = torch.randn(1, 3, 32, 32)
    before = second(images)
    for module in first.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.zeros_(module.weight)
    torch.testing.assert_close(second(images), before)
    assert not torch.allclose(first.eval()(images), before)


def test_what_folding_would_change_stays_as_it_is() -> None:
    model = unsettled(Twice()).eval()
    images = torch.randn(2, 3, 16, 16, dtype=torch.double)
    before = model(images)
    assert fold_batchnorm(model) == 0
    torch.testing.assert_close(model(images), before)


def test_modes_are_left_as_they_were() -> None:
    model = SimpleCNN(3, width=4).train()
    held = next(m for m in model.modules() if isinstance(m, nn.BatchNorm2d)).eval()
    fold_batchnorm(model)
    assert model.training and not held.training
