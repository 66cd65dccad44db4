"""The probe, and what goes on from it, as a user would call them."""

from __future__ import annotations

import ast
import json
import shutil
from pathlib import Path

import pytest
import torch
from conftest import COLOURS, make_photos

from osprey.models.registry import ModelSpec, build

SMALL = ["augmentation=none", "data.size=32", "data.batch_size=8", "data.num_workers=0"]
QUIET = ["trainer.autotune=false", "callbacks.progress=false"]


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    """Some backbone's weights; random ones tell three colours apart well enough."""
    torch.manual_seed(0)
    path = tmp_path / "backbone.pth"
    torch.save(build(ModelSpec("simple_cnn", "simple_cnn", {"width": 8}), 5).state_dict(), path)
    return path


def probe_words(photos: Path, weights: Path) -> list[str]:
    model = ["model=simple_cnn", "model.options={width: 8}", f"model.pretrained={weights}"]
    return ["train", "experiment=probe", f"data.root={photos}", *model, *SMALL, *QUIET]


def run_of(folder: Path, name: str) -> Path:
    return max(folder.glob(f"runs/{name}/*/config.yaml"), key=lambda p: p.parent.name).parent


def test_a_probe_is_an_ordinary_run(here: Path, photos: Path, weights: Path, osprey) -> None:  # type: ignore[no-untyped-def]
    result = osprey(*probe_words(photos, weights))
    assert result.code == 0, result.err
    assert "head    fitted on 64 frozen features: val top-1 1.000 (L2 " in result.out
    run = run_of(here, "probe")
    assert f"  osprey train experiment=finetune from={run.relative_to(here)}" in result.out
    summary = json.loads((run / "summary.json").read_text())
    assert summary["epochs"] == {"trained": 0, "best": 0}
    assert summary["test"]["top1"] == 1.0
    assert (run / "predictions.csv").is_file()
    photo = next(iter(sorted((photos / "red").iterdir())))
    assert osprey("predict", "--image", photo).out == "['red']\n"
    table = (run / "predictions.csv").read_text().splitlines()
    tested = table[1].split(",")
    result = osprey("predict", "--image", photos / tested[0], "--verbose")
    ranked = ast.literal_eval(result.out)
    assert ranked[0] == [tested[2], pytest.approx(float(tested[3]), abs=1e-3)]
    result = osprey("train", f"resume={run}")
    assert result.err == f"osprey train: run '{run}' has no last.ckpt to go on from\n"


def test_features_are_computed_once(
    here: Path, photos: Path, weights: Path, osprey, monkeypatch: pytest.MonkeyPatch
) -> None:  # type: ignore[no-untyped-def]
    from osprey.training.probe.features import FeatureStore

    computed: list[tuple[str, int]] = []
    compute = FeatureStore._compute

    def counted(self: FeatureStore, split: str, view: int):  # type: ignore[no-untyped-def]
        computed.append((split, view))
        return compute(self, split, view)

    monkeypatch.setattr(FeatureStore, "_compute", counted)
    own = Path(shutil.copytree(photos, here / "own"))
    words = [*probe_words(own, weights), "augmentation=light", "model.probe_views=2"]

    def figures() -> object:
        assert osprey(*words).code == 0
        return json.loads((run_of(here, "probe") / "summary.json").read_text())["test"]

    first = figures()
    assert computed == [("train", 0), ("train", 1), ("val", 0), ("test", 0)]
    computed.clear()
    assert figures() == first
    assert computed == []

    changed = sorted((own / "red").iterdir())
    for photo in changed:
        photo.write_bytes(photo.read_bytes())  # another time is enough to look again
    figures()
    assert sorted(computed) == [("test", 0), ("train", 0), ("train", 1), ("val", 0)]
    computed.clear()
    for file in (here.parent / "cache" / "features").iterdir():
        file.write_bytes(file.read_bytes()[:100])
    assert figures() == first, "features that were cut short are computed anew"
    assert len(computed) == 4
    computed.clear()
    torch.save(build(ModelSpec("simple_cnn", "simple_cnn", {"width": 8}), 5).state_dict(), weights)
    figures()
    assert len(computed) == 4, "other weights give other features"


def test_finetune_goes_on_from_the_probe(here: Path, photos: Path, weights: Path, osprey) -> None:  # type: ignore[no-untyped-def]
    assert osprey(*probe_words(photos, weights), "data.split_seed=3").code == 0
    probe = run_of(here, "probe")
    result = osprey("train", "experiment=finetune", "from=latest", "trainer.max_epochs=1", *QUIET)
    assert result.code == 0, result.err
    assert f"weights: {probe / 'checkpoints' / 'best.ckpt'}, head included" in result.out
    tuned = run_of(here, "finetune")
    assert (tuned / "manifest.csv").read_text() == (probe / "manifest.csv").read_text()
    shutil.rmtree(probe)  # a resumed run no longer needs where it came from
    result = osprey("train", f"resume={tuned}", "trainer.max_epochs=2")
    assert result.code == 0, result.err


def test_from_a_run_of_other_classes(here: Path, photos: Path, weights: Path, osprey) -> None:  # type: ignore[no-untyped-def]
    assert osprey(*probe_words(photos, weights)).code == 0
    other = make_photos(here / "other", seed=1)
    (other / "red").rename(other / "rose")
    words = ["train", "experiment=finetune", "from=latest", "trainer.max_epochs=1", *QUIET]
    result = osprey(*words, f"data.root={other}")
    assert result.code == 0, result.err
    assert "; head kept for blue, green; begun anew for rose; dropped for red" in result.out
    assert sorted(COLOURS) == ["blue", "green", "red"]


def test_mistakes_are_one_line(here: Path, photos: Path, weights: Path, osprey) -> None:  # type: ignore[no-untyped-def]
    assert osprey(*probe_words(photos, weights)).code == 0
    run = run_of(here, "probe").relative_to(here)
    start = ["train", "experiment=finetune", f"from={run}"]
    for words, error in (
        (["model=resnet18"], "model cannot be set beside from=RUN: a run brings its own network"),
        (["from=runs/prob"], "there is no run 'runs/prob'; name a folder below 'runs', or latest"),
        (
            ["data.split_seed=1"],
            f"from: '{run}' was trained on ",
        ),
    ):
        result = osprey(*start, *words)
        assert result.code == 2
        assert result.err.startswith(f"osprey train: {error}")
        assert result.err.count("\n") == 1
    result = osprey(*start, "data.split_seed=1", "data.allow_leakage=true", "trainer.max_epochs=1")
    assert result.code == 0
    assert "figures will flatter" in result.out
    (here / run / "checkpoints" / "best.ckpt").unlink()
    assert osprey(*start).err == (
        f"osprey train: from: run '{run}' has no best.ckpt yet: train it first\n"
    )
