"""Learning rates over time and over the network, and what weight decay leaves alone."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise

import pytest
import timm
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from osprey.config.schema import OptimizerConfig, SchedulerConfig
from osprey.models.simple_cnn import SimpleCNN
from osprey.tasks.optim import make_optimizer, make_scheduler, rate_at

ADAMW = OptimizerConfig(name="adamw", lr=0.01, weight_decay=0.05, momentum=0.9, layer_decay=1.0)
COSINE = SchedulerConfig(name="cosine", warmup=0.1, final_ratio=0.0)


def rates(config: SchedulerConfig, total: int) -> list[float]:
    """The rate of each step as the optimiser sees it, peak 1."""
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1.0)
    scheduler = make_scheduler(optimizer, config, total)
    seen = []
    for _ in range(total):
        seen.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return seen


def test_warm_up_then_half_a_cosine() -> None:
    seen = rates(COSINE, 100)
    assert seen[:10] == pytest.approx([0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0])
    assert seen[10] == 1.0
    assert seen[55] == pytest.approx(0.5)
    assert seen[99] == pytest.approx((1 + math.cos(math.pi * 89 / 90)) / 2)


def test_the_cosine_ends_where_it_is_told() -> None:
    assert rate_at(replace(COSINE, final_ratio=0.2), 100)(100) == pytest.approx(0.2)
    assert rate_at(replace(COSINE, final_ratio=0.2), 100)(150) == pytest.approx(0.2)


def test_constant_stays_where_warm_up_brought_it() -> None:
    assert rates(SchedulerConfig(name="constant", warmup=0.5, final_ratio=0.0), 4) == [
        0.5,
        1.0,
        1.0,
        1.0,
    ]
    assert rates(SchedulerConfig(name="constant", warmup=0.0, final_ratio=0.0), 3) == [
        1.0,
        1.0,
        1.0,
    ]


@given(
    total=st.integers(1, 300), warmup=st.floats(0, 1), final=st.floats(0, 1),
    name=st.sampled_from(["cosine", "constant"]),
)  # fmt: skip
@settings(max_examples=80, deadline=None)
def test_rates_rise_to_the_peak_and_never_again(
    total: int, warmup: float, final: float, name: str
) -> None:
    share = rate_at(SchedulerConfig(name=name, warmup=warmup, final_ratio=final), total)
    seen = [share(step) for step in range(total)]
    assert all(0 <= rate <= 1 for rate in seen)
    top = seen.index(max(seen))
    assert seen[top] == pytest.approx(1)
    assert all(a < b for a, b in pairwise(seen[: top + 1]))
    assert all(a >= b for a, b in pairwise(seen[top:]))


def groups_by_name(model: nn.Module, config: OptimizerConfig) -> dict[str, dict[str, float]]:
    optimizer = make_optimizer(model, config)
    names = {id(p): name for name, p in model.named_parameters()}
    return {
        names[id(p)]: {key: group[key] for key in ("lr", "weight_decay")}
        for group in optimizer.param_groups
        for p in group["params"]
    }


@pytest.mark.parametrize("layer_decay", [1.0, 0.5])
def test_biases_and_norms_do_not_decay(layer_decay: float) -> None:
    model = SimpleCNN(3, width=4)
    groups = groups_by_name(model, replace(ADAMW, layer_decay=layer_decay))
    assert set(groups) == {name for name, _ in model.named_parameters()}
    for name, parameter in model.named_parameters():
        assert groups[name]["weight_decay"] == (0.05 if parameter.ndim > 1 else 0.0), name
    assert groups["head.bias"]["weight_decay"] == groups["stages.0.1.weight"]["weight_decay"] == 0


def test_without_layer_decay_all_learn_alike() -> None:
    assert {g["lr"] for g in groups_by_name(SimpleCNN(3), ADAMW).values()} == {0.01}


def test_earlier_layers_learn_more_slowly() -> None:
    groups = groups_by_name(SimpleCNN(3, width=4), replace(ADAMW, layer_decay=0.5))
    seen = [groups[f"stages.{i}.0.weight"]["lr"] for i in range(4)] + [groups["head.weight"]["lr"]]
    assert seen == pytest.approx([0.01 * 0.5**power for power in (4, 3, 2, 1, 0)])


def test_layer_decay_knows_timm_s_networks() -> None:
    model = timm.create_model("test_vit", pretrained=False, num_classes=3)
    groups = groups_by_name(model, replace(ADAMW, layer_decay=0.5))
    stem, blocks = groups["patch_embed.proj.weight"]["lr"], len(model.blocks)
    seen = [groups[f"blocks.{i}.attn.qkv.weight"]["lr"] for i in range(blocks)]
    assert stem < seen[0] and seen == sorted(set(seen)) and seen[-1] < 0.01
    assert groups["head.weight"]["lr"] == pytest.approx(0.01)


def test_layer_decay_and_schedule_multiply() -> None:
    optimizer = make_optimizer(SimpleCNN(3, width=4), replace(ADAMW, layer_decay=0.5))
    before = [group["lr"] for group in optimizer.param_groups]
    make_scheduler(optimizer, SchedulerConfig(name="constant", warmup=1.0, final_ratio=1.0), 4)
    after = [group["lr"] for group in optimizer.param_groups]
    assert after == pytest.approx([rate / 4 for rate in before])


@pytest.mark.parametrize("layer_decay", [1.0, 0.5])
def test_what_may_not_move_is_left_to_itself(layer_decay: float) -> None:
    model = SimpleCNN(3, width=4)
    model.stages.requires_grad_(False)
    groups = groups_by_name(model, replace(ADAMW, layer_decay=layer_decay))
    assert set(groups) == {"head.weight", "head.bias"}


def test_kinds_of_optimiser() -> None:
    adamw = make_optimizer(SimpleCNN(3, width=4), replace(ADAMW, momentum=0.8))
    assert isinstance(adamw, torch.optim.AdamW)
    assert adamw.defaults["betas"] == (0.8, 0.999)
    sgd = make_optimizer(SimpleCNN(3, width=4), replace(ADAMW, name="sgd"))
    assert isinstance(sgd, torch.optim.SGD)
    assert (sgd.defaults["momentum"], sgd.defaults["nesterov"]) == (0.9, True)
    plain = make_optimizer(SimpleCNN(3, width=4), replace(ADAMW, name="sgd", momentum=0.0))
    assert (plain.defaults["momentum"], plain.defaults["nesterov"]) == (0.0, False)
