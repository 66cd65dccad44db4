"""Rewrites of networks have names, are printed once, can be switched off, spare the user's own."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch
from conftest import TINY, only_run, run_process
from torch import nn

from osprey.config.fields import defaults
from osprey.config.groups.trainer import TrainerConfig
from osprey.models.checkpoint import load_model
from osprey.models.registry import ModelSpec, build
from osprey.models.rewrites import NETWORK_REWRITES, rewrite

OWN = """
from torch import nn

class Net(nn.Module):
    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(3, 8, 1, stride=2), nn.BatchNorm2d(8), nn.ReLU(),
            nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, num_classes),
        )

    def forward(self, images):
        return self.layers(images)
"""


def rewritten(model: nn.Module) -> bool:
    """Whether a layer computes in another way than its class says."""
    return any("forward" in m.__dict__ or m._forward_pre_hooks for m in model.modules())


def test_the_setting_knows_every_rewrite() -> None:
    assert defaults(TrainerConfig)["rewrites"] == [*NETWORK_REWRITES, "keep_memory"]


def test_what_was_done_is_counted() -> None:
    spec = ModelSpec("timm", "repvgg_a0", {})
    model, photos = build(spec, 3).eval(), torch.rand(2, 3, 64, 64)
    before = model(photos)
    assert rewrite(model, spec, []) == [] and not rewritten(model)
    done = rewrite(model, spec, ["keep_memory", *NETWORK_REWRITES])
    assert re.fullmatch(r"fold_batchnorm \(\d+ pairs\), dense_strides \(1 layer\)", ", ".join(done))
    torch.testing.assert_close(model(photos), before, rtol=1e-3, atol=1e-5)
    other = build(spec, 3).eval()
    assert rewrite(other, spec, ["dense_strides"]) == ["dense_strides (1 layer)"]


def test_nothing_to_do_is_not_listed() -> None:
    spec = ModelSpec("timm", "vit_tiny_patch16_224", {})
    assert rewrite(build(spec, 3), spec) == []


def test_a_run_prints_them_once_and_can_do_without(here: Path, photos: Path) -> None:
    words = ["train", "data=folder", f"data.root={photos}", *TINY, "trainer.deterministic=true"]
    figures = []
    for more, line in (
        ([], r"rewrites fold_batchnorm \(4 pairs\)(, keep_memory)?"),
        (["trainer.rewrites=[fold_batchnorm]"], r"rewrites fold_batchnorm \(4 pairs\)"),
        (["trainer.rewrites=[]"], None),
    ):
        folder = here / f"work{len(figures)}"
        folder.mkdir()
        result = run_process([*words, *more], folder)
        assert result.code == 0, result.err
        found = [line for line in result.out.splitlines() if line.startswith("rewrites")]
        assert len(found) == (line is not None)
        assert line is None or re.fullmatch(line, found[0])
        figures.append(only_run(folder))
    names = NETWORK_REWRITES
    assert rewritten(load_model(figures[2] / "checkpoints" / "best.ckpt", names)[0])
    assert not rewritten(load_model(figures[0] / "checkpoints" / "best.ckpt", [])[0])


def test_a_network_of_ones_own_is_not_touched(here: Path, photos: Path) -> None:
    (here / "own_net.py").write_text(OWN)
    words = ["train", "data=folder", f"data.root={photos}", "model._target_=own_net.Net"]
    small = [word for word in TINY if not word.startswith("model.")]
    # Channels last, oneDNN may crash on this very layer, which is left as its author wrote it.
    small.append("trainer.channels_last=false")
    result = run_process([*words, *small, "plugins=[own_net]"], here)
    assert result.code == 0, result.err
    assert [s for s in result.out.splitlines() if s.startswith("rewrites")] in (
        [],
        ["rewrites keep_memory"],
    )


@pytest.mark.parametrize(
    ("value", "line"),
    [
        (
            "[fold_batchnrom]",
            "trainer.rewrites: unknown 'fold_batchnrom'; did you mean 'fold_batchnorm'? "
            "(one of fold_batchnorm, dense_strides, keep_memory)",
        ),
        (
            "fold_batchnorm",
            "trainer.rewrites: it is a list: write [a,b], [a] for one, [] for none",
        ),
        ("null", "trainer.rewrites: it cannot be null"),
    ],
    ids=str,
)
def test_mistakes(value: str, line: str, here: Path, osprey) -> None:  # type: ignore[no-untyped-def]
    result = osprey("train", f"trainer.rewrites={value}")
    assert (result.code, result.err) == (2, f"osprey train: {line}\n")
