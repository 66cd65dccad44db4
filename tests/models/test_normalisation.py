"""Weights bring the normalisation they were trained with, or the photos tell which fits."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import timm
import torch
from conftest import Result, make_photos
from safetensors.torch import save_file
from torch import nn

from osprey.models.checkpoint import METADATA_KEY, CheckpointMetadata, write_checkpoint
from osprey.models.normalisation import KNOWN, fits_better, statistics_of
from osprey.models.spec import IMAGENET, ModelSpec

HALF = ((0.5,) * 3, (0.5,) * 3)
NAME = "mobilenetv3_small_050"
SAID = {"mean": [0.5] * 3, "std": [0.25] * 3}


def state() -> dict[str, torch.Tensor]:
    return {"a": torch.zeros(1)}


def in_metadata(path: Path) -> None:
    save_file(state(), path, {key: json.dumps(value) for key, value in SAID.items()})


def in_timms_metadata(path: Path) -> None:
    save_file(state(), path, {"pretrained_cfg": json.dumps({**SAID, "num_classes": 5})})


def beside(path: Path) -> None:
    save_file(state(), path)
    (path.parent / "config.json").write_text(json.dumps({"pretrained_cfg": SAID}))


def of_osprey(path: Path) -> None:
    form = {**SAID, "size": 32, "resize": "squash", "crop_pct": 0.875}
    spec = ModelSpec("simple_cnn", "simple_cnn", {"width": 4})
    metadata = CheckpointMetadata("classification", spec, ["a", "b"], form)
    write_checkpoint({"state_dict": state(), METADATA_KEY: metadata.to_dict()}, path)


@pytest.mark.parametrize(
    ("write", "name"),
    [
        (in_metadata, "a.safetensors"),
        (in_timms_metadata, "a.safetensors"),
        (beside, "a.safetensors"),
        (of_osprey, "best.ckpt"),
    ],
)
def test_what_a_file_says(tmp_path: Path, write: Callable[[Path], None], name: str) -> None:
    write(tmp_path / name)
    assert statistics_of(tmp_path / name) == ((0.5,) * 3, (0.25,) * 3)


@pytest.mark.parametrize("config", [b"", b"[1]", b"{", b'{"mean": 1}', b'{"mean": [1, 2, "x"]}'])
def test_what_is_not_said(tmp_path: Path, config: bytes) -> None:
    torch.save(state(), tmp_path / "a.pth")
    (tmp_path / "config.json").write_bytes(config)
    assert statistics_of(tmp_path / "a.pth") is None
    (tmp_path / "b.safetensors").write_bytes(b"nothing of the kind")
    assert statistics_of(tmp_path / "b.safetensors") is None


def trained_on(photos: torch.Tensor, name: str) -> nn.Module:
    """A network whose BatchNorm has seen these photos, normalised in that way."""
    torch.manual_seed(0)
    model = timm.create_model(NAME)
    mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in KNOWN[name])
    pixels = (photos.permute(0, 3, 1, 2).float() / 255 - mean) / std
    for _ in range(60):
        model.train()(pixels)
    return model


@pytest.mark.parametrize("name", KNOWN)
def test_the_one_that_fits_is_named(name: str) -> None:
    draw = torch.Generator().manual_seed(0)
    base = torch.randint(0, 256, (16, 1, 1, 3), generator=draw)
    noise = torch.randint(-30, 30, (16, 32, 32, 3), generator=draw)
    photos = (base + noise).clamp(0, 255).to(torch.uint8)
    model = trained_on(photos, name)
    before = {key: value.clone() for key, value in model.state_dict().items()}
    assert fits_better(model, photos, KNOWN[name]) == "", "nothing is better than what it was"
    for other in KNOWN.keys() - {name}:
        line = fits_better(model, photos, KNOWN[other])
        mean = ", ".join(f"{v:g}" for v in KNOWN[name][0])
        assert f"try data.mean=[{mean}] data.std=[" in line
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())
    assert model.training


def test_without_batchnorm_nothing_is_known() -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten())
    assert fits_better(model, torch.zeros(2, 8, 8, 3, dtype=torch.uint8), IMAGENET) == ""


@pytest.mark.slow
def test_on_the_command_line(here: Path, osprey: Callable[..., Result]) -> None:
    photos = make_photos(here / "photos")
    seen = torch.zeros(32, 8, 8, 3, dtype=torch.uint8)
    seen[:8, ..., 0], seen[8:16, ..., 1], seen[16:24, ..., 2], seen[24:] = 200, 200, 200, 90
    model = trained_on(seen, "[0.5, 0.5, 0.5]")
    torch.save(model.state_dict(), here / "plain.pth")
    half = "[0.5, 0.5, 0.5]"
    save_file(model.state_dict(), here / "said.safetensors", {"mean": half, "std": half})
    words = ["train", "data=folder", f"data.root={photos}", "model=timm", f"model.name={NAME}"]
    words += ["data.size=32", "data.num_workers=0", "trainer.max_epochs=1", "data.batch_size=8"]
    words += ["trainer.autotune=false", "augmentation=none"]
    result = osprey(*words, "model.pretrained=plain.pth")
    assert result.code == 0, result.err
    assert "note    these weights do not say how their photos were normalised" in result.out
    told = osprey(*words, "model.pretrained=plain.pth", f"data.mean={list(HALF[0])}", "name=told")
    assert told.code == 0 and "these weights" not in told.out
    said = osprey(*words, "model.pretrained=said.safetensors", "name=said")
    assert said.code == 0 and "these weights" not in said.out
    assert (
        "weights say how their photos were normalised: mean [0.5, 0.5, 0.5], std [0.5, 0.5, 0.5]\n"
        in said.out
    )
    (config,) = (here / "runs" / "said").glob("*/config.yaml")
    assert "  mean:\n  - 0.5\n" in config.read_text()
    found = osprey("find", "batch_size", *words[1:], "model.pretrained=said.safetensors")
    assert found.code == 0, found.err
    assert "weights say how their photos were normalised: mean [0.5, 0.5, 0.5]" in found.out
