"""A network that starts from another run's: the head follows the classes' names."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from osprey.errors import CheckpointError
from osprey.models.checkpoint import METADATA_KEY, CheckpointMetadata, write_checkpoint
from osprey.models.registry import ModelSpec, build
from osprey.models.transfer import build_from_run

SPEC = ModelSpec("simple_cnn", "simple_cnn", {"width": 4})
PREPROCESS = {
    "size": 32,
    "resize": "squash",
    "mean": [0.5] * 3,
    "std": [0.5] * 3,
    "crop_pct": 0.875,
}


@pytest.fixture
def donor(tmp_path: Path) -> Path:
    model = build(SPEC, 3)
    state = {f"model.{key}": value for key, value in model.state_dict().items()}
    metadata = CheckpointMetadata("classification", SPEC, ["ant", "bee", "cow"], PREPROCESS)
    path = tmp_path / "best.ckpt"
    write_checkpoint({"state_dict": state, METADATA_KEY: metadata.to_dict()}, path)
    return path


def head(path: Path) -> tuple[torch.Tensor, torch.Tensor]:
    state = torch.load(path, weights_only=True)["state_dict"]
    names = [key for key in state if key.startswith("model.") and state[key].shape[:1] == (3,)]
    return tuple(state[key] for key in names[-2:])  # type: ignore[return-value]


def test_the_same_classes_answer_the_same(donor: Path) -> None:
    model, line = build_from_run(SPEC, ["ant", "bee", "cow"], donor)
    assert line == f"weights: {donor}, head included"
    weight, bias = head(donor)
    state = model.state_dict()
    assert any(torch.equal(v, weight) for v in state.values())
    assert any(torch.equal(v, bias) for v in state.values())


def test_rows_follow_names(donor: Path) -> None:
    model, line = build_from_run(SPEC, ["cow", "dog", "ant"], donor)
    assert line == (
        f"weights: {donor}; head kept for cow, ant; begun anew for dog; dropped for bee"
    )
    weight, _ = head(donor)
    own = model.get_classifier().weight  # type: ignore[operator]
    assert torch.equal(own[0], weight[2]) and torch.equal(own[2], weight[0])
    assert not torch.equal(own[1], weight[1])


def test_no_class_in_common(donor: Path) -> None:
    _, line = build_from_run(SPEC, ["x", "y"], donor)
    assert line.endswith("; begun anew for x, y; dropped for ant, bee, cow")


def test_another_network_is_refused(donor: Path) -> None:
    with pytest.raises(CheckpointError, match=r"from: '.*' is a simple_cnn, not a resnet18: leave"):
        build_from_run(ModelSpec("timm", "resnet18", {}), ["ant", "bee"], donor)
    with pytest.raises(CheckpointError, match="do not fit 'simple_cnn' as configured"):
        build_from_run(ModelSpec("simple_cnn", "simple_cnn", {"width": 8}), ["ant", "bee"], donor)
