"""Checkpoints: tensors and plain data; nothing from a stranger is run, half a file is no file."""

from __future__ import annotations

import errno
import os
import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO

import pytest
import torch

from osprey.errors import CheckpointError
from osprey.models.checkpoint import (
    CheckpointMetadata,
    load_model,
    metadata_of,
    read_checkpoint,
    write_checkpoint,
)
from osprey.models.registry import ModelSpec, build

SPEC = ModelSpec("simple_cnn", "simple_cnn", {"width": 4})
FACTS = CheckpointMetadata(
    "classification", SPEC, ["cat", "dog"], {"size": 32, "resize": "squash"}, 1.5
)


class Bomb:
    """Pickled, it leaves a file behind where it is unpickled."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.trace),)


def content(**metadata: Any) -> dict[str, Any]:
    """A good checkpoint, some of its metadata replaced."""
    model = build(SPEC, 2)
    state = {f"model.{key}": value for key, value in model.state_dict().items()}
    return {"state_dict": state, "epoch": 3, "osprey": FACTS.to_dict() | metadata}


def refusal(saved: Any, folder: Path) -> str:
    path = folder / "x.ckpt"
    torch.save(saved, path)
    with pytest.raises(CheckpointError) as caught:
        load_model(path)
    assert "\n" not in str(caught.value)
    return str(caught.value).replace(str(path), "X")


def test_a_round_trip_keeps_network_and_facts(tmp_path: Path) -> None:
    saved = content()
    path = tmp_path / "deep" / "er" / "best.ckpt"
    write_checkpoint(saved, path)
    model, metadata = load_model(path)
    assert metadata == FACTS
    assert not model.training
    for key, value in model.state_dict().items():
        assert torch.equal(value, saved["state_dict"][f"model.{key}"])
    again = read_checkpoint(path)
    assert again["epoch"] == 3
    assert metadata_of(again, path) == FACTS


def test_averaged_weights_are_taken_where_there_are_some(tmp_path: Path) -> None:
    saved = content()
    averaged = build(SPEC, 2).state_dict()
    saved["state_dict"] |= {f"ema.module.{key}": value for key, value in averaged.items()}
    saved["state_dict"]["ema.n_averaged"] = torch.tensor(7)
    write_checkpoint(saved, tmp_path / "x.ckpt")
    model, _ = load_model(tmp_path / "x.ckpt")
    assert torch.equal(model.state_dict()["head.weight"], averaged["head.weight"])


def test_a_checkpoint_is_replaced_whole_and_leaves_no_temporary(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "last.ckpt"
    write_checkpoint(content(), path)
    before = path.read_bytes()
    assert os.listdir(tmp_path) == ["last.ckpt"]

    def full_disk(_: object, target: BinaryIO) -> None:
        target.write(b"half")
        raise OSError(errno.ENOSPC, "no space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(torch, "save", full_disk)
        with pytest.raises(OSError, match="no space left"):
            write_checkpoint(content(), path)
    assert os.listdir(tmp_path) == ["last.ckpt"]
    assert path.read_bytes() == before
    write_checkpoint(content(temperature=2.0), path)
    assert load_model(path)[1].temperature == 2.0
    assert os.listdir(tmp_path) == ["last.ckpt"]


def test_no_such_file(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError) as caught:
        load_model(tmp_path / "no.ckpt")
    assert str(caught.value) == f"there is no checkpoint '{tmp_path}/no.ckpt'"
    with pytest.raises(CheckpointError, match="there is no checkpoint"):
        load_model(tmp_path)


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9, 0.999])
def test_truncated(tmp_path: Path, share: float) -> None:
    path = tmp_path / "x.ckpt"
    write_checkpoint(content(), path)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(CheckpointError, match=r"^checkpoint '.*' is damaged") as caught:
        load_model(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("garbage", [b"not a checkpoint", b"\x80\x02garbage.", b"PK\x03\x04" * 50])
def test_garbage(tmp_path: Path, garbage: bytes) -> None:
    (tmp_path / "x.ckpt").write_bytes(garbage)
    with pytest.raises(CheckpointError, match=r"^checkpoint '.*' is damaged"):
        load_model(tmp_path / "x.ckpt")


def test_code_in_a_checkpoint_is_not_run(tmp_path: Path) -> None:
    trace = tmp_path / "it ran"
    pickle.loads(pickle.dumps(Bomb(trace)))
    assert trace.is_dir(), "the bomb works where it is opened carelessly"
    trace.rmdir()
    told = (
        "checkpoint 'X' is damaged or holds more than tensors and plain data; "
        "it was not loaded, because such a file could run code"
    )
    for hostile in (
        Bomb(trace),
        content() | {"extra": Bomb(trace)},
        content(preprocess={"size": Bomb(trace)}),
    ):
        assert refusal(hostile, tmp_path) == told
    bare = pickle.dumps(Bomb(trace), 2)  # not in torch's zip
    (tmp_path / "x.ckpt").write_bytes(bare)
    with pytest.raises(CheckpointError):
        load_model(tmp_path / "x.ckpt")
    assert not trace.exists()


@pytest.mark.parametrize(
    "foreign",
    [
        [1, 2],
        torch.ones(2),
        {},
        {"state_dict": {}},
        {"osprey": {}},
        {"state_dict": [1], "osprey": FACTS.to_dict()},
        {"state_dict": {1: torch.ones(1)}, "osprey": FACTS.to_dict()},
    ],
    ids=lambda value: str(value)[:30],
)
def test_not_one_of_ours(tmp_path: Path, foreign: Any) -> None:
    assert refusal(foreign, tmp_path) == "'X' is not a checkpoint of Osprey's"


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        (
            {"factory": "timm", "name": "hf-hub:evil/model", "options": {}},
            "unknown model 'hf-hub:evil/model'; 'osprey models PATTERN' lists them",
        ),
        (
            {"factory": "timm", "name": "resnet18", "options": {"checkpoint_path": "/etc/passwd"}},
            "model.options: 'checkpoint_path' cannot be set",
        ),
        (
            {"factory": "simple_cnn", "name": "simple_cnn", "options": {"width": [4]}},
            "model.options: 'width' must be a number, a word, true or false",
        ),
    ],
)
def test_what_it_names_must_be_ours(tmp_path: Path, model: dict[str, Any], reason: str) -> None:
    assert refusal(content(model=model), tmp_path) == f"checkpoint 'X' is refused: {reason}"


def test_foreign_code_is_neither_run_nor_imported(tmp_path: Path, monkeypatch: Any) -> None:
    (tmp_path / "evil.py").write_text("raise SystemExit('imported')")
    monkeypatch.chdir(tmp_path)
    model = {"factory": "evil.Net", "name": "Net", "options": {}}
    assert refusal(content(model=model), tmp_path) == (
        "checkpoint 'X' names evil.Net, which is not Osprey's: add --plugin evil "
        "(or plugins=[evil]) if you trust it"
    )


@pytest.mark.parametrize(
    "metadata",
    [
        {"task": 3},
        {"classes": "cat"},
        {"classes": ["cat", 2]},
        {"preprocess": [1]},
        {"temperature": "hot"},
        {"temperature": 0.0},
        {"temperature": float("nan")},
        {"classes": []},
        {"outputs": 0},
        {"outputs": True},
        {"outputs": "one"},
        {"model": {"factory": "simple_cnn", "name": ["x"], "options": {}}},
        {"model": {"factory": "simple_cnn", "name": "simple_cnn", "options": [1]}},
    ],
    ids=str,
)
def test_facts_of_the_wrong_type(tmp_path: Path, metadata: dict[str, Any]) -> None:
    assert refusal(content(**metadata), tmp_path) == (
        "checkpoint 'X' describes itself in a way Osprey never writes"
    )


@pytest.mark.parametrize("name", ["task", "model", "classes", "preprocess", "temperature"])
def test_facts_that_are_missing(tmp_path: Path, name: str) -> None:
    saved = content()
    del saved["osprey"][name]
    assert refusal(saved, tmp_path) == "checkpoint 'X' lacks part of its description"
    for nothing in (None, 3, "metadata", []):
        assert refusal(saved | {"osprey": nothing}, tmp_path) == (
            "checkpoint 'X' lacks part of its description"
        )


def test_a_network_without_one_output_a_class(tmp_path: Path) -> None:
    path = tmp_path / "one.ckpt"
    model = build(SPEC, 1)
    state = {f"model.{key}": value for key, value in model.state_dict().items()}
    torch.save({**content(outputs=1), "state_dict": state}, path)
    loaded, metadata = load_model(path)
    assert loaded(torch.rand(2, 3, 32, 32)).shape == (2, 1)
    assert (metadata.num_outputs, len(metadata.classes)) == (1, 2)
    assert metadata.to_dict()["outputs"] == 1
    assert "outputs" not in replace(metadata, outputs=None).to_dict()


def test_another_format(tmp_path: Path) -> None:
    assert (
        refusal(content(format=2), tmp_path) == "checkpoint 'X' has format 2, this Osprey reads 1"
    )


def test_tensors_that_do_not_fit(tmp_path: Path) -> None:
    told = "checkpoint 'X': its tensors do not fit 'simple_cnn'"
    assert refusal(content(classes=["a", "b", "c"]), tmp_path) == told
    for change in ({"model.odd": torch.ones(1)}, {"model.head.bias": torch.ones(9)}):
        saved = content()
        saved["state_dict"] |= change
        assert refusal(saved, tmp_path) == told
    lacking = content()
    del lacking["state_dict"]["model.head.bias"]
    assert refusal(lacking, tmp_path) == told
    saved = content()
    saved["state_dict"]["model.head.bias"] = "words"
    assert refusal(saved, tmp_path) == told
