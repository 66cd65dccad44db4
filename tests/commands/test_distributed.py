"""Two processes together see, learn and count what one alone does."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
import torch
from conftest import TIMES, TINY, make_photos, only_run, osprey_process, run_process

from osprey.models.registry import ModelSpec, build

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"

# Statistics of half a batch differ from those of the whole, and so do the draws of dropout.
WORDS = [
    *TINY,
    "augmentation=light",
    "+model.options.drop_rate=0.0",
]


@pytest.fixture
def words(tmp_path: Path) -> list[str]:
    """Settings of training in which BatchNorm holds the statistics of given weights."""
    spec = ModelSpec("simple_cnn", "simple_cnn", {"width": 4})
    torch.save(build(spec, 3).state_dict(), tmp_path / "weights.pth")
    held = [f"model.pretrained={tmp_path / 'weights.pth'}", "model.freeze_batchnorm=true"]
    return ["train", *WORDS, *held]


def metrics(folder: Path) -> list[dict[str, float]]:
    with (only_run(folder) / "metrics.csv").open(newline="") as file:
        return [
            {k: float(v) for k, v in row.items() if k not in TIMES} for row in csv.DictReader(file)
        ]


@pytest.mark.slow
def test_ddp_sim_equals_one_process(tmp_path: Path, words: list[str]) -> None:
    photos = make_photos(tmp_path / "photos", per_class=15)  # 7 to validate: odd on purpose
    words += ["data=folder", f"data.root={photos}", "callbacks.averaging=swa"]
    found = []
    for more in ([], ["trainer=ddp_sim", "data.cache=ram"]):
        folder = tmp_path / f"work{len(more)}"
        folder.mkdir()
        result = run_process([*words, *more], folder, OSPREY_CACHE=str(tmp_path / "cache"))
        assert result.code == 0, result.err
        found.append(metrics(folder))
        summary = json.loads((only_run(folder) / "summary.json").read_text())
        assert summary["averaging"]["epochs"] == [1, 2]
        left = {p.name for p in (only_run(folder) / "checkpoints").iterdir()}
        assert left == {"best.ckpt", "last.ckpt"}
    one, two = found
    assert len(one) == len(two) == 2
    for row, expected in zip(two, one, strict=True):
        for key, value in expected.items():
            assert row[key] == pytest.approx(value, abs=1e-4), key


@pytest.mark.slow
def test_a_mistake_in_a_process_is_one_line(tmp_path: Path, photos: Path, words: list[str]) -> None:
    words += ["trainer=ddp_sim", "optimizer.lr=1e30", "optimizer=sgd"]
    words += ["trainer.gradient_clip=null", "optimizer.weight_decay=0.5"]
    result = run_process([*words, "data=folder", f"data.root={photos}"], tmp_path)
    assert result.code == 2
    assert result.err.startswith("osprey train: ")
    assert " in epoch 1: lower optimizer.lr (it is 1e+30), or use trainer." in result.err
    assert result.err.count("\n") == 1


@pytest.mark.slow
def test_sigterm_stops_all_processes_and_saves(tmp_path: Path, words: list[str]) -> None:
    photos = make_photos(tmp_path / "photos", per_class=60)
    words += ["trainer=ddp_sim", "trainer.max_epochs=500", "data.batch_size=4"]
    process = osprey_process([*words, "data=folder", f"data.root={photos}"], tmp_path)
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("epoch   2/"):
            break
    process.terminate()
    _, err = process.communicate(timeout=120)
    assert process.returncode == 143, err
    assert (only_run(tmp_path) / "checkpoints" / "last.ckpt").is_file()


@pytest.mark.slow
def test_fsdp_equals_one_process(tmp_path: Path, photos: Path) -> None:
    """Sharded over two CPU processes, as benchmarks/gpu.py rehearses it; read without FSDP."""
    words = [word for word in TINY if not word.startswith("model.options")]
    words += ["model=timm", "model.name=vit_small_patch16_224", "model.pretrained=false"]
    words += ["data=folder", f"data.root={photos}", "augmentation=light", "data.size=32"]
    # So much decay that it would show if biases and norms had it, or nothing had.
    words += ["optimizer.lr=1e-3", "optimizer.weight_decay=20", "trainer.gradient_clip=null"]
    sharded = ["trainer=ddp_sim", "trainer.strategy._target_=sharded.OnProcessors"]
    paths = {"EXTRA_PATH": str(BENCHMARKS), "OSPREY_CACHE": str(tmp_path / "cache")}
    found = []
    for name, more in {"one": [], "two": [*sharded, "trainer.gradient_clip=null"]}.items():
        (tmp_path / name).mkdir()
        result = run_process(["train", *words, *more], tmp_path / name, **paths)
        assert result.code == 0, result.err
        found.append(metrics(tmp_path / name))
    for row, expected in zip(*found, strict=True):
        for key, value in expected.items():
            assert row[key] == pytest.approx(value, abs=1e-4), key
    photo = next(photos.rglob("*.png"))
    result = run_process(["predict", "--image", photo], tmp_path / "two")
    assert (result.code, result.out[0]) == (0, "["), result.err
