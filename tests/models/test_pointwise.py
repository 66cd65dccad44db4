"""Networks that begin with a strided 1x1 convolution learn on a CPU."""

from __future__ import annotations

import copy
import pickle

import pytest
import timm
import torch

from osprey.models.folding import fold_batchnorm
from osprey.models.pointwise import dense_strides
from osprey.models.registry import ModelSpec, build


@pytest.mark.parametrize("name", ["mobileone_s0", "repvgg_a0"])
def test_same_numbers_and_gradients(name: str) -> None:
    torch.manual_seed(0)
    model = build(ModelSpec("timm", name, {}), 3)
    assert dense_strides(model) > 0
    plain = timm.create_model(name, num_classes=3)
    assert list(model.state_dict()) == list(plain.state_dict())
    plain.load_state_dict(model.state_dict())
    photos = torch.rand(4, 3, 64, 64)
    torch.testing.assert_close(model.eval()(photos), plain.eval()(photos))

    last = copy.deepcopy(model).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    pickle.dumps(last)  # into another process
    last(photos.to(memory_format=torch.channels_last)).square().sum().backward()
    plain(photos).square().sum().backward()  # channels first: oneDNN takes another way
    ours, theirs = dict(last.named_parameters()), dict(plain.named_parameters())
    for key, value in theirs.items():
        assert value.grad is not None and ours[key].grad is not None
        assert (ours[key].grad - value.grad).norm() <= 1e-4 * value.grad.norm(), key
    before = last(photos)
    assert fold_batchnorm(last) > 5
    torch.testing.assert_close(last(photos), before, rtol=1e-3, atol=0)


def test_others_are_left_alone() -> None:
    assert dense_strides(timm.create_model("resnet18")) == 0
    model = timm.create_model("repvgg_a0")
    assert dense_strides(model) == 1
    assert dense_strides(model) == 0
