"""Pretrained weights from files: every key accounted for, no code ever run."""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from osprey.errors import CheckpointError
from osprey.models.registry import ModelSpec, build
from osprey.models.weights import build_pretrained, load_pretrained, read_weights

SPEC = ModelSpec("simple_cnn", "simple_cnn", {"width": 4})


def state_of(classes: int = 5) -> dict[str, Tensor]:
    torch.manual_seed(classes)
    model = build(SPEC, classes)
    return {k: torch.rand_like(v.float()).to(v.dtype) for k, v in model.state_dict().items()}


def loaded(path: Path, classes: int = 2) -> tuple[dict[str, Tensor], str]:
    model, line = build_pretrained(SPEC, classes, str(path))
    return model.state_dict(), line


def refusal(path: Path) -> str:
    with pytest.raises(CheckpointError) as caught:
        build_pretrained(SPEC, 2, str(path))
    assert "\n" not in str(caught.value)
    return str(caught.value).replace(str(path), "X")


def same_backbone(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    keys = [key for key in one if not key.startswith("head.")]
    return bool(keys) and all(torch.equal(one[key], other[key]) for key in keys)


KINDS: dict[str, Callable[[dict[str, Tensor], Path], None]] = {
    "x.pth": lambda state, path: torch.save(state, path),
    "x.pt": lambda state, path: torch.save({"model": state}, path),
    "x.ckpt": lambda state, path: torch.save({"state_dict": state, "epoch": 3}, path),
    "x.safetensors": lambda state, path: save_file(state, path),
    "parallel.pth": lambda state, path: torch.save(
        {f"module.{key}": value for key, value in state.items()}, path
    ),
    "osprey.ckpt": lambda state, path: torch.save(
        {"state_dict": {f"model.{key}": value for key, value in state.items()}}, path
    ),
}


@pytest.mark.parametrize("name", KINDS)
def test_every_kind_of_file_arrives_but_for_the_head(tmp_path: Path, name: str) -> None:
    state, path = state_of(classes=5), tmp_path / name
    KINDS[name](state, path)
    own, line = loaded(path)
    assert same_backbone(own, state)
    assert own["head.weight"].shape[0] == 2
    assert line == f"weights: {path} (head left out: head.bias, head.weight)"


def test_a_head_of_the_same_size_is_left_out_too(tmp_path: Path) -> None:
    state = state_of(classes=2)
    torch.save(state, tmp_path / "x.pth")
    assert not torch.equal(loaded(tmp_path / "x.pth")[0]["head.weight"], state["head.weight"])


def test_weights_without_a_head(tmp_path: Path) -> None:
    state = {k: v for k, v in state_of().items() if not k.startswith("head.")}
    torch.save(state, tmp_path / "x.pth")
    own, line = loaded(tmp_path / "x.pth")
    assert same_backbone(own, own | state)
    assert line == f"weights: {tmp_path}/x.pth"


def test_the_averaged_weights_of_our_own_checkpoint(tmp_path: Path) -> None:
    moving, averaged = state_of(3), state_of(4)
    state = {f"model.{key}": value for key, value in moving.items()}
    state |= {f"ema.module.{key}": value for key, value in averaged.items()}
    state["ema.n_averaged"] = torch.tensor(9)
    torch.save({"state_dict": state, "osprey": {"format": 1}}, tmp_path / "best.ckpt")
    assert same_backbone(loaded(tmp_path / "best.ckpt")[0], averaged)


def test_keys_that_do_not_match_are_told(tmp_path: Path) -> None:
    state, path = state_of(), tmp_path / "x.pth"
    state["stages.9.0.weight"] = state.pop("stages.0.0.weight")
    del state["stages.1.0.weight"]
    state["stages.2.0.weight"] = torch.ones(1, 2)
    torch.save(state, path)
    assert refusal(path) == (
        "model.pretrained: 'X' does not fit this model: "
        "keys 1 of another shape, first 'stages.2.0.weight (has (1, 2), needs (16, 8, 3, 3))'; "
        "2 missing, first 'stages.0.0.weight'; 1 unknown, first 'stages.9.0.weight'"
    )


def test_a_refused_file_leaves_the_model_as_it_was(tmp_path: Path) -> None:
    state = state_of()
    del state["stages.3.0.weight"]
    torch.save(state, tmp_path / "x.pth")
    model = build(SPEC, 2)
    before = {key: value.clone() for key, value in model.state_dict().items()}
    with pytest.raises(CheckpointError):
        load_pretrained(model, SPEC, str(tmp_path / "x.pth"))
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())


@pytest.mark.parametrize("saved", [[1], {"a": 1}, {"state_dict": {"a": "b"}}, {1: torch.ones(1)}])
def test_no_state_dict(tmp_path: Path, saved: Any) -> None:
    torch.save(saved, tmp_path / "x.pth")
    assert refusal(tmp_path / "x.pth") == "model.pretrained: 'X' holds no state dict of tensors"


def test_missing_and_damaged_files(tmp_path: Path) -> None:
    assert refusal(tmp_path / "no.pth") == "model.pretrained: there is no file 'X'"
    (tmp_path / "x.safetensors").write_bytes(b"<html>404</html>")
    assert refusal(tmp_path / "x.safetensors").startswith("model.pretrained: 'X' cannot be read (")
    damaged = (
        "model.pretrained: 'X' is damaged or holds more than tensors; it is not loaded, "
        "because such a file could run code: save its state_dict alone"
    )
    (tmp_path / "x.pth").write_bytes(b"<html>404</html>")
    assert refusal(tmp_path / "x.pth") == damaged


class Bomb:
    """Pickled, it leaves a folder behind where it is unpickled."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.trace),)


@pytest.mark.parametrize("name", ["x.pth", "x.ckpt", "x.safetensors"])
def test_code_in_a_weights_file_is_not_run(tmp_path: Path, name: str) -> None:
    trace, path = tmp_path / "it ran", tmp_path / name
    for hostile in (Bomb(trace), {"state_dict": state_of(), "more": Bomb(trace)}):
        torch.save(hostile, path)
        refusal(path)
        path.write_bytes(pickle.dumps(hostile, 2))
        refusal(path)
    assert not trace.exists()
    pickle.loads(path.read_bytes())
    assert trace.exists(), "the bomb works where it is opened carelessly"


def test_no_pretrained_weights() -> None:
    assert build_pretrained(SPEC, 2, False)[1] == "weights: random"
    with pytest.raises(CheckpointError) as caught:
        build_pretrained(SPEC, 2, True)
    assert str(caught.value) == (
        "'simple_cnn' has no pretrained weights: set model.pretrained=false or =PATH"
    )


def test_a_folder_is_no_weights_file(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="there is no file"):
        read_weights(tmp_path)
